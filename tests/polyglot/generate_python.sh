#!/bin/sh
# generate_python.sh OUT: Python stubs of the contract, for PYTHONPATH=OUT.
set -eu
proto=$(cd "$(dirname "$0")/../../proto" && pwd)
out=${1:?usage: generate_python.sh OUT}
mkdir -p "$out"
protoc -I "$proto" --python_out="$out" --grpc_out="$out" \
  --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
  "$proto"/kustom/ipp/v1/*.proto
