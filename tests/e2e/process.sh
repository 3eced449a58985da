#!/usr/bin/env bash
# process.sh BUILD_DIR: what the gateway's process promises to those who start and stop it.
set -euo pipefail
BUILD=$1
. "$(dirname "$0")/lib.sh"
GATEWAY=$BUILD/server/ipp-gateway

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# expect CODE TEXT COMMAND...: exits with CODE and says TEXT.
expect() {
  local code=$1 text=$2 actual=0
  shift 2
  "$@" >"$WORK/out" 2>&1 </dev/null || actual=$?
  [ "$actual" -eq "$code" ] || { cat "$WORK/out" && fail "exit $actual, not $code: $*"; }
  grep -qF -- "$text" "$WORK/out" || { cat "$WORK/out" && fail "does not say '$text': $*"; }
  [ "$code" -eq 0 ] || [ "$(grep -Ec '^(ipp-gateway: |[^ ]+Z error cannot start: )' "$WORK/out")" -eq 1 ] || fail "not one clear line: $*"
}

expect 0 "ipp-gateway " "$GATEWAY" --version
expect 0 "--check-config" "$GATEWAY" --help
expect 2 "--config is required" "$GATEWAY"
expect 2 "--colour: no such flag" "$GATEWAY" --colour
expect 2 "--config: needs a value" "$GATEWAY" --config
expect 1 "/nowhere/gateway.yaml" "$GATEWAY" --config /nowhere/gateway.yaml

start_simulator
start_gateway
expect 0 "the configuration is good" "$GATEWAY" --config "$WORK/gateway.yaml" --check-config
sed 's/^listen:/lisen:/' "$WORK/gateway.yaml" >"$WORK/typo.yaml"
expect 1 "typo.yaml:1: lisen: no such key" "$GATEWAY" --config "$WORK/typo.yaml"
expect 1 "log_level" "$GATEWAY" --config "$WORK/gateway.yaml" --log-level loud
sed "s#$WORK/api-key#$WORK/no-key#" "$WORK/gateway.yaml" >"$WORK/no-key.yaml"
expect 1 "merchants[0].api_key_file" "$GATEWAY" --config "$WORK/no-key.yaml" --check-config
echo not-a-secret >"$WORK/bad-secrets"
sed "s#$WORK/webhook-secrets#$WORK/bad-secrets#" "$WORK/gateway.yaml" >"$WORK/bad-secret.yaml"
expect 1 "merchants[0].webhook_secrets_file" "$GATEWAY" --config "$WORK/bad-secret.yaml" --check-config
! grep -q not-a-secret "$WORK/out" || fail "a secret in an error"
# Two gateways can share neither a store nor a port.
expect 1 "gateway.db" "$GATEWAY" --config "$WORK/gateway.yaml"
sed "s#gateway.db#other.db#" "$WORK/gateway.yaml" >"$WORK/same-port.yaml"
expect 1 "cannot listen on $GRPC" "$GATEWAY" --config "$WORK/same-port.yaml" --listen "$GRPC"

[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$ADMIN/livez")" = 200 ] || fail livez
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$ADMIN/readyz")" = 200 ] || fail readyz
curl -sf "http://$ADMIN/configz" | grep -q 'base_url' || fail configz
[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://$WEBHOOKS/webhooks/kustom" -d '{}')" = 401 ] ||
  fail "an unsigned webhook"

# SIGTERM ends a stream with its last cursor and the process with 0.
"$BUILD/client/ippctl" --address "$GRPC" events tail --from oldest >"$WORK/tail.out" 2>"$WORK/tail.err" &
tail_pid=$!
PIDS+=("$tail_pid")
for ((tries = 0; tries < 200; tries++)); do
  curl -sf "http://$ADMIN/metrics" | grep -q '^ipp_events_subscribers 1' && break
  sleep 0.05
done
kill -TERM "$GATEWAY_PID"
code=0
wait "$GATEWAY_PID" || code=$?
[ "$code" -eq 0 ] || fail "drained with exit $code"
grep -q 'stopped' "$GATEWAY_LOG" || fail "no word of the end in the log"
kill -TERM "$tail_pid"
wait "$tail_pid" || fail "the subscriber did not end well"
grep -q 'last cursor: ' "$WORK/tail.err" || fail "no last cursor"
for secret in $(cat "$WORK/api-key" "$WORK/webhook-secrets"); do
  ! grep -qF "$secret" "$GATEWAY_LOG" || fail "a secret in the log"
done
echo "the process keeps its promises"
