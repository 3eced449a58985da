#!/usr/bin/env bash
# run.sh BUILD_DIR python|node|go|java|cpp: builds that language's client, runs it under the kit, then does what its part of
# docs/your-language-in-five-minutes.md says (C++: that alone; `ippctl` calls every RPC). What is built goes to BUILD_DIR/polyglot/LANGUAGE.
# run.sh BUILD_DIR teeth: that the kit finds the faults of clients and of steps.
# run.sh BUILD_DIR buf: that `buf generate` makes stubs for every language.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:?usage: run.sh BUILD_DIR LANGUAGE}" && pwd)
LANGUAGE=${2:?usage: run.sh BUILD_DIR LANGUAGE}
WORK=$BUILD/polyglot/$LANGUAGE
export PYTHONDONTWRITEBYTECODE=1

# toolchain PACKAGE WHAT COMMAND...: the command succeeds, or it is said what is missing and how to get it.
toolchain() {
  local package=$1 what=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  echo "polyglot: $LANGUAGE: there is no $what. Install it, on Debian: apt-get install $package" >&2
  exit 1
}
# fresh OF TO: TO is a copy of OF and nothing else.
fresh() {
  rm -rf "$2"
  cp -r "$1" "$2"
}

python_client() {
  toolchain python3-venv "python3 with venv" python3 -c 'import ensurepip, venv'
  if ! cmp -s "$HERE/python/requirements.txt" venv/requirements.txt; then
    rm -rf venv
    python3 -m venv venv
    venv/bin/pip install -q --disable-pip-version-check --require-hashes -r "$HERE/python/requirements.txt"
    cp "$HERE/python/requirements.txt" venv/
  fi
  PYTHON=$PWD/venv/bin/python "$HERE/stubs.sh" python stubs
  export PYTHONPATH=$PWD/stubs
  CLIENT=("$PWD/venv/bin/python" "$HERE/python/client.py")
}

node_client() {
  toolchain nodejs "node of version 18 or later" node -e 'if (parseInt(process.versions.node) < 18) process.exit(1)'
  toolchain npm npm command -v npm
  toolchain protobuf-compiler protoc command -v protoc
  "$HERE/stubs.sh" node gen
  echo '{"type": "module"}' >package.json
  ln -sfn "$HERE/node_modules" node_modules
  CLIENT=(node "$HERE/node/client.mjs" "$PWD/gen")
}

go_client() {
  toolchain golang-go go command -v go
  toolchain protobuf-compiler protoc command -v protoc
  fresh "$HERE/go" module
  "$HERE/stubs.sh" go module/stubs
  (cd module && go vet . && go build -o client .)
  CLIENT=("$PWD/module/client")
}

java_client() {
  toolchain default-jdk-headless "JDK of version 17 or later" javac --release 17 -version
  toolchain maven "Maven (mvn)" command -v mvn
  mkdir -p module
  cp "$HERE/java/pom.xml" module/
  fresh "$HERE/java/src" module/src
  cp -r "$HERE/../../proto" module/src/main/proto
  (cd module && mvn -B -q compile dependency:build-classpath -Dmdep.outputFile=target/classpath)
  CLIENT=(java -cp "$PWD/module/target/classes:$(cat module/target/classpath)" Client)
}

# What ../../proto/buf.gen.yaml makes.
buf_generate() {
  toolchain nodejs node command -v node
  toolchain golang-go go command -v go
  toolchain protobuf-compiler protoc command -v protoc
  toolchain protobuf-compiler-grpc grpc_python_plugin command -v grpc_python_plugin
  toolchain protobuf-compiler-grpc-java-plugin grpc_java_plugin command -v grpc_java_plugin
  [ -d "$HERE/node_modules" ] || "$HERE/stubs.sh" node other
  fresh "$HERE/go" module
  (cd module && GOBIN=$WORK/bin go install google.golang.org/protobuf/cmd/protoc-gen-go \
    google.golang.org/grpc/cmd/protoc-gen-go-grpc)
  rm -rf build
  mkdir -p proto
  (cd "$HERE/../../proto" &&
    PATH=$WORK/bin:$PATH "$HERE"/node_modules/@bufbuild/buf-linux-*/bin/buf generate -o "$WORK/proto")
  local stubs=build/stubs service
  for service in device enrollment location outcome report session session_event session_history simulation; do
    for file in python/kustom/ipp/v1/${service}_pb2{,_grpc}.py node/kustom/ipp/v1/${service}_pb.{js,d.ts} \
      go/kustom/ipp/v1/${service}{,_grpc}.pb.go; do
      [ -s "$stubs/$file" ] || { echo "polyglot: buf has not made $file" >&2; exit 1; }
    done
  done
  for file in SessionServiceGrpc CreateSessionRequest SessionEventServiceGrpc SimulationServiceGrpc; do
    [ -s "$stubs/java/co/kustom/ipp/v1/$file.java" ] || { echo "polyglot: buf has not made $file.java" >&2; exit 1; }
  done
  # The kit's client builds on them.
  cp -r "$stubs/go" module/stubs
  (cd module && go build -o client .)
  echo "ok      buf generate: Python, Node, Go, Java"
}

case $LANGUAGE in
  python | node | go | java | cpp | teeth | buf) ;;
  *)
    echo "polyglot: no such language: $LANGUAGE. There are python, node, go, java, cpp; and teeth, buf" >&2
    exit 2
    ;;
esac
toolchain python3 python3 command -v python3
toolchain openssl openssl command -v openssl
mkdir -p "$WORK"
cd "$WORK"
if [ "$LANGUAGE" = teeth ]; then
  python_client
  exec python3 "$HERE/kit/teeth_test.py" --build "$BUILD" -- "${CLIENT[@]}"
fi
[ "$LANGUAGE" != buf ] || { buf_generate; exit; }
if [ "$LANGUAGE" = cpp ]; then
  "$HERE/../../client/packages/build.sh" "$HERE/../../build/packages" cpp # takes longer than a block of the page may
else
  "${LANGUAGE}_client"
  python3 "$HERE/kit/kit.py" --build "$BUILD" -- "${CLIENT[@]}"
  unset PYTHONPATH
fi
python3 "$HERE/kit/page.py" --build "$BUILD" --shop "$WORK/shop" "$LANGUAGE"
