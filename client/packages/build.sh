#!/usr/bin/env bash
# build.sh OUT python|go|typescript|java|cpp: builds that language's client package into OUT/LANGUAGE, of the project's version,
# with the stubs of proto/ in it. What was built of the same sources is left as it is.
#
#   python       OUT/python/dist/*.whl; OUT/python/venv is what it was checked with (mypy --strict)
#   go           OUT/go/module, the module as source; OUT/go/proxy, the same as GOPROXY serves it
#   typescript   OUT/typescript/dist/*.tgz (tsc, strict)
#   java         OUT/java/dist/*.jar and *.pom; OUT/java/repository, the same as a Maven repository
#   cpp          OUT/cpp/dist/ippclient, the CMake package as it is installed (preset release)
#
# Nothing is uploaded. Libraries come by pip, npm, Go and Maven, in the versions that the folders of client/ pin.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
mkdir -p "${1:?usage: build.sh OUT LANGUAGE}"
OUT=$(cd "$1" && pwd)
LANGUAGE=${2:?usage: build.sh OUT LANGUAGE}
VERSION=$(sed -n 's/^project(ipp_gateway VERSION \([0-9.]*\).*/\1/p' "$ROOT/CMakeLists.txt")
SOURCE=$ROOT/client/$LANGUAGE
WORK=$OUT/$LANGUAGE
export PYTHONDONTWRITEBYTECODE=1

# toolchain PACKAGE WHAT COMMAND...: the command succeeds, or it is said what is missing and how to get it.
toolchain() {
  local package=$1 what=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  echo "packages: $LANGUAGE: there is no $what. Install it, on Debian: apt-get install $package" >&2
  exit 1
}

# One line that changes with everything that the package is made of.
fingerprint() {
  local own=client/$LANGUAGE
  # The C++ library is all of client/ that is no other language's.
  [ "$LANGUAGE" != cpp ] || own="client/include client/package client/CMakeLists.txt client/*.cc client/*.h server/base/mutex.h"
  # shellcheck disable=SC2086
  (cd "$ROOT" && find $own client/packages/build.sh proto server/base/error_details.proto CMakeLists.txt \
    -type f ! -path '*/node_modules/*' | LC_ALL=C sort | xargs sha256sum | sha256sum)
}

build_python() {
  toolchain python3-venv "python3 with venv" python3 -c 'import ensurepip, venv'
  if ! cmp -s "$SOURCE/requirements.txt" venv/requirements.txt; then
    rm -rf venv
    python3 -m venv venv
    venv/bin/pip install -q --disable-pip-version-check --require-hashes -r "$SOURCE/requirements.txt"
    cp "$SOURCE/requirements.txt" venv/
  fi
  rm -rf package dist
  cp -r "$SOURCE" package
  (cd "$ROOT/proto" && PATH=$WORK/venv/bin:$PATH "$WORK/venv/bin/python" -m grpc_tools.protoc -I . \
    --python_out="$WORK/package/src" --grpc_python_out="$WORK/package/src" \
    --mypy_out=quiet:"$WORK/package/src" --mypy_grpc_out=quiet:"$WORK/package/src" kustom/ipp/v1/*.proto)
  touch package/src/kustom/py.typed
  sed -i "s/^version = .*/version = \"$VERSION\"/" package/pyproject.toml
  MYPYPATH=package/src venv/bin/mypy --strict --explicit-package-bases --cache-dir "$WORK/mypy" \
    package/src/ippclient package/examples
  venv/bin/pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w dist ./package
}

build_go() {
  toolchain golang-go go command -v go
  toolchain protobuf-compiler protoc command -v protoc
  rm -rf module proxy
  cp -r "$SOURCE" module
  # The plugins are pinned where the language kit pins them.
  (cd "$ROOT/tests/polyglot/go" && GOBIN=$WORK/bin go install google.golang.org/protobuf/cmd/protoc-gen-go \
    google.golang.org/grpc/cmd/protoc-gen-go-grpc)
  (cd "$ROOT/proto" && PATH=$WORK/bin:$PATH protoc -I . --go_out="$WORK/module" --go_opt=module=kustom.co/ipp \
    --go-grpc_out="$WORK/module" --go-grpc_opt=module=kustom.co/ipp kustom/ipp/v1/*.proto)
  (cd module && test -z "$(gofmt -l ippclient examples)" && go vet ./...)
  python3 "$HERE/go_proxy.py" module kustom.co/ipp "v$VERSION" proxy
}

build_typescript() {
  toolchain nodejs "node of version 18 or later" node -e 'if (parseInt(process.versions.node) < 18) process.exit(1)'
  toolchain npm npm command -v npm
  toolchain protobuf-compiler protoc command -v protoc
  rm -rf package/{src,dist} dist
  mkdir -p package dist
  cp -r "$SOURCE"/{src,examples,README.md,package.json,package-lock.json,tsconfig.json} package/
  cd package
  if ! cmp -s package-lock.json node_modules/.lock; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    cp package-lock.json node_modules/.lock
  fi
  mkdir -p src/gen/google/rpc
  local es="--plugin=protoc-gen-es=$PWD/node_modules/.bin/protoc-gen-es --es_opt=target=ts,import_extension=js"
  # shellcheck disable=SC2086
  (cd "$ROOT/proto" && protoc -I . $es --es_out="$WORK/package/src/gen" kustom/ipp/v1/*.proto)
  # Errors carry google.rpc messages.
  cp "$ROOT/server/base/error_details.proto" src/gen/google/rpc/
  # shellcheck disable=SC2086
  (cd src/gen && protoc -I . $es --es_out=. google/rpc/error_details.proto && rm google/rpc/error_details.proto)
  npm pkg set version="$VERSION"
  node_modules/.bin/tsc -p .
  node_modules/.bin/tsc --noEmit --strict --target ES2022 --module NodeNext --moduleResolution NodeNext --skipLibCheck \
    examples/*.ts
  npm pack --silent --pack-destination ../dist >/dev/null
}

build_java() {
  toolchain default-jdk-headless "JDK of version 17 or later" javac --release 17 -version
  toolchain maven "Maven (mvn)" command -v mvn
  rm -rf package dist repository
  cp -r "$SOURCE" package
  mkdir -p package/src/main/proto dist
  cp -r "$ROOT/proto/kustom" package/src/main/proto/
  sed -i "s|<version>0.0.0</version>|<version>$VERSION</version>|" package/pom.xml
  local jar=ippclient-$VERSION.jar folder=repository/co/kustom/ipp/ippclient/$VERSION
  (cd package && mvn -B -q package dependency:build-classpath -Dmdep.outputFile=target/classpath)
  (cd package && javac --release 17 -Xlint:all -Werror -cp "target/classes:$(cat target/classpath)" -d target/examples \
    examples/*.java)
  cp "package/target/$jar" dist/
  cp package/pom.xml "dist/ippclient-$VERSION.pom"
  mkdir -p "$folder"
  cp dist/* "$folder/"
}

build_cpp() {
  toolchain cmake cmake command -v cmake
  toolchain ninja-build ninja command -v ninja
  cmake --preset release -S "$ROOT" -B "$WORK/build" -DBUILD_TESTING=OFF >configure.log 2>&1 ||
    { cat configure.log >&2; exit 1; }
  ninja -C build ipp_client
  rm -rf dist
  cmake --install build --prefix "$WORK/dist/ippclient" --component client >install.log
}

case $LANGUAGE in
  python | go | typescript | java | cpp) ;;
  *)
    echo "packages: no such language: $LANGUAGE. There are python, go, typescript, java, cpp" >&2
    exit 2
    ;;
esac
toolchain python3 python3 command -v python3
mkdir -p "$WORK"
cd "$WORK"
exec 9>"$WORK/.lock"
flock 9 # tests may want the same package at once
made_of=$(fingerprint)
[ "$(cat "$WORK/.made-of" 2>/dev/null)" != "$made_of" ] || exit 0
rm -f "$WORK/.made-of"
build_"$LANGUAGE" >&2
echo "$made_of" >"$WORK/.made-of"
