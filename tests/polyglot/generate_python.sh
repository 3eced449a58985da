#!/bin/sh
# generate_python.sh OUT: Python stubs of the contract, for PYTHONPATH=OUT.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?usage: generate_python.sh OUT}
mkdir -p "$out/google/rpc"
protoc -I "$root/proto" --python_out="$out" --grpc_out="$out" \
  --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
  "$root"/proto/kustom/ipp/v1/*.proto
# What errors carry. The package googleapis-common-protos has these modules, but Debian does not have the package.
cp "$root/server/base/error_details.proto" "$out/google/rpc/"
protoc -I "$out" --python_out="$out" google/rpc/error_details.proto
echo 'from google.rpc.error_details_pb2 import Status' >"$out/google/rpc/status_pb2.py"
