#!/usr/bin/env bash
# run.sh BUILD_DIR python|go|typescript|java|cpp: builds that language's client package, and plays the rules of
# docs/client-rules.md against it, as it would be installed; then runs the page's program for the events, that of the package's
# README.md (C++'s is for e2e.client_package), and the example of a place on a real PostgreSQL (C++ has none). run.sh BUILD_DIR teeth: that the test finds clients that break a rule.
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
# readme FILE: that of the package's README.md.
readme() {
  python3 "$HERE/books_test.py" --save-readme "$1" "$LANGUAGE"
}

python_driver() {
  books books.py books.py
  readme readme.py
  MYPYPATH=$WORK/site "$OUT/python/venv/bin/mypy" --strict --cache-dir mypy books.py readme.py >&2
  DRIVER=("$OUT/python/venv/bin/python" "$HERE/python/driver.py")
  BOOKS=("$OUT/python/venv/bin/python" books.py)
  README=("$OUT/python/venv/bin/python" -u readme.py)
  PLACE=() # in place_test.py
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
  cp -r "$HERE/go/place" module/
  cat "$OUT/go/module/go.sum" "$HERE/go/place/go.sum" >module/go.sum
  (cd module && go mod edit -require="kustom.co/ipp@$version" -replace="kustom.co/ipp=$OUT/go/module" \
    -require=github.com/lib/pq@v1.10.9 && go vet . ./place && go build -o driver . && go build -o place-on-postgres ./place)
  books module/books/main.go books/main.go
  readme module/readme/main.go
  (cd module && go vet ./readme && go build -o books-of-the-page ./books && go build -o books-of-the-readme ./readme)
  DRIVER=("$WORK/module/driver")
  BOOKS=("$WORK/module/books-of-the-page")
  README=("$WORK/module/books-of-the-readme")
  PLACE=("$WORK/module/place-on-postgres")
}

typescript_driver() {
  rm -rf module
  mkdir -p module/node_modules/ippclient
  tar -xzf "$OUT"/typescript/dist/*.tgz --strip-components=1 -C module/node_modules/ippclient
  ln -sfn "$OUT/typescript/package/node_modules" node_modules # what it depends on, one folder up
  cp "$HERE/typescript/driver.ts" module/
  readme module/readme.ts
  echo '{"type": "module"}' >module/package.json
  (cd module && "$OUT/typescript/package/node_modules/.bin/tsc" --strict --noUncheckedIndexedAccess --target ES2022 \
    --types node --module NodeNext --moduleResolution NodeNext driver.ts readme.ts)
  books module/books.js books.js
  mkdir -p place
  if ! cmp -s "$HERE/typescript/place/package-lock.json" place/package-lock.json; then
    cp "$HERE"/typescript/place/package*.json place/
    (cd place && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) || { rm place/package-lock.json; exit 1; }
  fi
  cp "$HERE/typescript/place/place.mjs" place/
  (cd module && cp "$OUT/typescript/package/examples/postgres-place.ts" . &&
    "$OUT/typescript/package/node_modules/.bin/tsc" --strict --target ES2022 --module NodeNext --moduleResolution NodeNext \
      --skipLibCheck --outDir ../place postgres-place.ts)
  ln -sfn "$WORK/module/node_modules/ippclient" place/node_modules/ippclient
  DRIVER=(node "$WORK/module/driver.js")
  BOOKS=(node "$WORK/module/books.js")
  README=(node "$WORK/module/readme.js")
  PLACE=(node "$WORK/place/place.mjs")
}

java_driver() {
  rm -rf classes
  mkdir classes
  local path
  path=$(echo "$OUT"/java/dist/*.jar):$(cat "$OUT/java/package/target/classpath")
  books Books.java src/main/java/Books.java
  readme Readme.java
  javac --release 17 -Xlint:all,-processing -Werror -cp "$path" -d classes "$HERE"/java/*.java Books.java Readme.java
  DRIVER=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$WORK/classes:$path" Driver)
  BOOKS=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$WORK/classes:$path" Books)
  README=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$WORK/classes:$path" Readme)
  mkdir -p place
  if ! cmp -s "$HERE/java/place/pom.xml" place/pom.xml; then
    cp "$HERE/java/place/pom.xml" place/
    (cd place && mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath \
      -Dmdep.outputFile=classpath >&2) || { rm place/pom.xml; exit 1; }
  fi
  path+=:$(cat place/classpath)
  javac --release 17 -Xlint:all,-processing -Werror -cp "$path" -d place/classes "$HERE"/java/place/*.java \
    "$ROOT"/client/java/examples/PostgresPlace.java
  PLACE=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$WORK/place/classes:$path" PlaceOnPostgres)
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
[ "$LANGUAGE" = cpp ] || "$OUT/python/venv/bin/python" "$HERE/books_test.py" --readme -- "${README[@]}"
! declare -p PLACE >/dev/null 2>&1 || "$OUT/python/venv/bin/python" "$HERE/place_test.py" -- "${PLACE[@]}"
