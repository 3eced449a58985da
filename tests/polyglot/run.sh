#!/bin/sh
# run.sh ADDRESS [python|node]: generates the stubs and runs the clients against a gateway.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
address=${1:?usage: run.sh ADDRESS [python|node]}
which=${2:-all}
build=${IPP_POLYGLOT_BUILD:-$here/../../build/polyglot}
case $which in all | python | node) ;; *) echo "run.sh: unknown client $which" >&2; exit 2 ;; esac
if [ "$which" != node ]; then
  "$here/generate_python.sh" "$build/python"
  PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$build/python" /usr/bin/python3 "$here/client.py" "$address"
fi
if [ "$which" != python ]; then
  "$here/generate_node.sh" "$build/node"
  node "$build/node/client.mjs" "$address"
fi
