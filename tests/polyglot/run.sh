#!/usr/bin/env bash
# run.sh BUILD_DIR python|node|go|java: builds that language's client, runs it under the kit, then does what its part of
# docs/your-language-in-five-minutes.md says. What is built goes to BUILD_DIR/polyglot/LANGUAGE.
# run.sh BUILD_DIR teeth: that the kit finds the faults of clients and of steps.
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
  "$HERE/stubs.sh" java module/src/main/proto
  (cd module && mvn -B -q compile dependency:build-classpath -Dmdep.outputFile=target/classpath)
  CLIENT=(java -cp "$PWD/module/target/classes:$(cat module/target/classpath)" Client)
}

case $LANGUAGE in
  python | node | go | java | teeth) ;;
  *)
    echo "polyglot: no such language: $LANGUAGE. There are python, node, go and java, and teeth" >&2
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
"${LANGUAGE}_client"
python3 "$HERE/kit/kit.py" --build "$BUILD" -- "${CLIENT[@]}"
unset PYTHONPATH
python3 "$HERE/kit/page.py" --build "$BUILD" --shop "$WORK/shop" "$LANGUAGE"
