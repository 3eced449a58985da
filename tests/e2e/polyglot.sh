#!/usr/bin/env bash
# polyglot.sh BUILD_DIR python|node: the example client in that language against the real binaries.
set -euo pipefail
BUILD=$1
. "$(dirname "$0")/lib.sh"
start_simulator
start_gateway
IPP_POLYGLOT_BUILD=$WORK/polyglot "$(dirname "$0")/../polyglot/run.sh" "$GRPC" "$2"
