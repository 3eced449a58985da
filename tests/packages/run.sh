#!/usr/bin/env bash
# run.sh BUILD_DIR python|go|typescript|java|cpp: builds that language's client package, and plays the rules of docs/client-rules.md
# against it, as it would be installed; then runs the page's program for the events. run.sh BUILD_DIR teeth: that the test finds clients that break a rule.
# The packages are made in build/packages, where `./dev packages` makes them; the driver in BUILD_DIR/packages/LANGUAGE.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
BUILD=$(cd "${1:?usage: run.sh BUILD_DIR LANGUAGE}" && pwd)
LANGUAGE=${2:?usage: run.sh BUILD_DIR LANGUAGE}
OUT=$ROOT/build/packages
WORK=$BUILD/packages/$LANGUAGE
export PYTHONDONTWRITEBYTECODE=1

# books FILE NAME: the page's program for the events, as it stands there.
books() {
  python3 "$HERE/books_test.py" --save "$1" "$2"
}

python_driver() {
  books books.py books.py
  MYPYPATH=$WORK/site "$OUT/python/venv/bin/mypy" --strict --cache-dir mypy books.py >&2
  DRIVER=("$OUT/python/venv/bin/python" "$HERE/python/driver.py")
  BOOKS=("$OUT/python/venv/bin/python" books.py)
}

go_driver() {
  # That the module proxy's files are what Go takes.
  local version
  version=$(cat "$OUT/go/proxy/kustom.co/ipp/@v/list")
  GOMODCACHE=$WORK/cache GOFLAGS="-modcacherw" GOPROXY=file://$OUT/go/proxy GONOSUMDB='*' \
    go mod download "kustom.co/ipp@$version"
  rm -rf "$WORK/cache" module
  mkdir module
  cp "$HERE/go/main.go" module/
  sed -e 's|^module .*|module driver|' "$OUT/go/module/go.mod" >module/go.mod
  cp "$OUT/go/module/go.sum" module/
  (cd module && go mod edit -require="kustom.co/ipp@$version" -replace="kustom.co/ipp=$OUT/go/module" &&
    go vet . && go build -o driver .)
  books module/books/main.go books/main.go
  (cd module && go build -o books-of-the-page ./books)
  DRIVER=("$WORK/module/driver")
  BOOKS=("$WORK/module/books-of-the-page")
}

typescript_driver() {
  rm -rf module
  mkdir -p module/node_modules/ippclient
  tar -xzf "$OUT"/typescript/dist/*.tgz --strip-components=1 -C module/node_modules/ippclient
  ln -sfn "$OUT/typescript/package/node_modules" node_modules # what it depends on, one folder up
  cp "$HERE/typescript/driver.ts" module/
  echo '{"type": "module"}' >module/package.json
  (cd module && "$OUT/typescript/package/node_modules/.bin/tsc" --strict --noUncheckedIndexedAccess --target ES2022 \
    --types node --module NodeNext --moduleResolution NodeNext driver.ts)
  books module/books.js books.js
  DRIVER=(node "$WORK/module/driver.js")
  BOOKS=(node "$WORK/module/books.js")
}

java_driver() {
  rm -rf classes
  mkdir classes
  local path
  path=$(echo "$OUT"/java/dist/*.jar):$(cat "$OUT/java/package/target/classpath")
  books Books.java src/main/java/Books.java
  javac --release 17 -Xlint:all,-processing -Werror -cp "$path" -d classes "$HERE"/java/*.java Books.java
  DRIVER=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$WORK/classes:$path" Driver)
  BOOKS=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$WORK/classes:$path" Books)
}

# The library of BUILD_DIR, so that it is played under its sanitizers, too; the page's program with what is installed of it.
cpp_driver() {
  DRIVER=("$BUILD/tests/packages/packages_cpp_driver")
  [ -x "${DRIVER[0]}" ] || { echo "packages: there is no ${DRIVER[0]}: build packages_cpp_driver" >&2; exit 1; }
  rm -rf shop
  local file
  for file in CMakeLists.txt books.cc pay.cc; do books "shop/$file" "$file"; done
  cmake -S shop -B shop/build -G Ninja -DCMAKE_PREFIX_PATH="$OUT/cpp/dist/ippclient" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror" >configure.log 2>&1 || { cat configure.log >&2; exit 1; }
  ninja -C shop/build >&2
  BOOKS=("$WORK/shop/build/books")
}

mkdir -p "$WORK"
cd "$WORK"
# The scripted gateway is in Python, and speaks by its package's stubs.
"$ROOT/client/packages/build.sh" "$OUT" python
rm -rf site
"$OUT/python/venv/bin/pip" install -q --disable-pip-version-check --no-deps --no-index --target site "$OUT"/python/dist/*.whl
export PYTHONPATH=$WORK/site
if [ "$LANGUAGE" = teeth ]; then
  exec "$OUT/python/venv/bin/python" "$HERE/teeth_test.py" --site "$WORK/site"
fi
[ "$LANGUAGE" = python ] || "$ROOT/client/packages/build.sh" "$OUT" "$LANGUAGE"
"${LANGUAGE}_driver"
"$OUT/python/venv/bin/python" "$HERE/rules_test.py" -- "${DRIVER[@]}"
"$OUT/python/venv/bin/python" "$HERE/books_test.py" -- "${BOOKS[@]}"
[ "$LANGUAGE" != python ] || "$OUT/python/venv/bin/python" "$HERE/place_test.py"
