#!/bin/sh
# generate_node.sh OUT: the Node client, its packages and its stubs, all in OUT. The client goes there too, because
# Node looks for packages in the folders above a file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: generate_node.sh OUT}
mkdir -p "$out/gen"
if ! cmp -s "$here/package-lock.json" "$out/package-lock.json" || [ ! -d "$out/node_modules" ]; then
  cp "$here/package.json" "$out/"
  cp "$here/package-lock.json" "$out/"
  (cd "$out" && rm -rf node_modules &&
    npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) || {
    cat "$out/npm.log" >&2
    rm -f "$out/package-lock.json"
    exit 1
  }
fi
cp "$here/client.mjs" "$out/"
root=$here/../..
es() {
  protoc --es_out="$out/gen" --es_opt=target=js,import_extension=js \
    --plugin=protoc-gen-es="$out/node_modules/.bin/protoc-gen-es" "$@"
}
es -I "$root/proto" "$root"/proto/kustom/ipp/v1/*.proto
# What errors carry, under the name that googleapis gives it.
mkdir -p "$out/proto/google/rpc"
cp "$root/server/base/error_details.proto" "$out/proto/google/rpc/"
es -I "$out/proto" google/rpc/error_details.proto
