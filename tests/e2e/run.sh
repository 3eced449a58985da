#!/usr/bin/env bash
# run.sh BUILD_DIR: gateway and simulator until Ctrl-C, on their usual ports or on those of the environment.
set -euo pipefail
BUILD=$1
: "${SIM_PORT:=9080}" "${GRPC_PORT:=50051}" "${WEBHOOK_PORT:=8080}" "${ADMIN_PORT:=9090}"
. "$(dirname "$0")/lib.sh"
start_simulator
start_gateway
cat <<TEXT
simulator  http://$SIM, the clerk's phone: http://$SIM/_sim/terminal
gateway    grpc $GRPC, webhooks http://$WEBHOOKS, admin http://$ADMIN

  export IPPCTL_ADDRESS=$GRPC IPPCTL_SIMULATOR=http://$SIM
  $BUILD/client/ippctl simulate device --name "Till 1"
  $BUILD/client/ippctl trigger paid
  $BUILD/client/ippctl events tail --from oldest

Ctrl-C stops both. The gateway's log follows.
TEXT
trap 'exit 0' INT TERM
tail -n +1 -F "$GATEWAY_LOG" 2>/dev/null &
PIDS+=($!)
wait "$GATEWAY_PID"
