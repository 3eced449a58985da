#!/bin/sh
# stubs.sh LANGUAGE OUT: what that language's generators make of proto/, in the folder OUT.
#
#   python   modules kustom.ipp.v1.*_pb2, *_pb2_grpc, for PYTHONPATH=OUT. By grpcio-tools where $PYTHON (python3) has
#            that and grpcio-status, else by protoc and Debian's grpc_python_plugin.
#   node     ES modules with types, kustom/ipp/v1/*_pb.js, and google/rpc/error_details_pb.js, what errors carry
#   go       one package, ippv1, in OUT/kustom/ipp/v1; it may lie anywhere in your module
#
# Java's are made by your build, of a copy of proto/: java/pom.xml.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
language=${1:?usage: stubs.sh LANGUAGE OUT}
mkdir -p "${2:?usage: stubs.sh LANGUAGE OUT}"
out=$(cd "$2" && pwd)
protos=$(cd "$root/proto" && echo kustom/ipp/v1/*.proto)

need() {  # COMMAND PACKAGE
  command -v "$1" >/dev/null || { echo "stubs.sh: $language: no $1: apt-get install $2" >&2; exit 1; }
}

# Errors carry google.rpc messages; who has no package with them gets them from here.
error_details() {
  mkdir -p "$out/google/rpc"
  cp "$root/server/base/error_details.proto" "$out/google/rpc/"
  (cd "$out" && protoc -I . "$@" google/rpc/error_details.proto)
  rm "$out/google/rpc/error_details.proto"
}

cd "$root/proto"
case $language in
  python)
    python=${PYTHON:-python3}
    if "$python" -c 'import grpc_status, grpc_tools' 2>/dev/null; then
      # shellcheck disable=SC2086
      "$python" -m grpc_tools.protoc -I . --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" $protos
    else
      need protoc protobuf-compiler
      need grpc_python_plugin protobuf-compiler-grpc
      # shellcheck disable=SC2086
      protoc -I . --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
        --python_out="$out" --grpc_out="$out" $protos
      error_details --python_out=.
      echo 'from google.rpc.error_details_pb2 import Status' >"$out/google/rpc/status_pb2.py"
    fi
    ;;
  node)
    need protoc protobuf-compiler
    [ -x "$here/node_modules/.bin/protoc-gen-es" ] ||
      (cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    es="--plugin=protoc-gen-es=$here/node_modules/.bin/protoc-gen-es --es_opt=target=js+dts,import_extension=js"
    # shellcheck disable=SC2086
    protoc -I . $es --es_out="$out" $protos
    # shellcheck disable=SC2086
    error_details $es --es_out=.
    ;;
  go)
    need protoc protobuf-compiler
    need go golang-go
    (cd "$here/go" && GOBIN=$out/.bin go install google.golang.org/protobuf/cmd/protoc-gen-go \
      google.golang.org/grpc/cmd/protoc-gen-go-grpc)
    # shellcheck disable=SC2086
    PATH=$out/.bin:$PATH protoc -I . --go_out="$out" --go_opt=paths=source_relative --go-grpc_out="$out" \
      --go-grpc_opt=paths=source_relative $protos
    rm -r "$out/.bin"
    ;;
  *)
    echo "stubs.sh: no such language: $language" >&2
    exit 2
    ;;
esac
