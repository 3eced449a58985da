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
# All that is wrong is said at once; a certificate that has expired is wrong, one that expires soon is a warning.
certificate() { # certificate NAME DAYS, made 80 days ago
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$WORK/$1.key" \
    -out "$WORK/$1.csr" 2>"$WORK/openssl.log"
  faketime -f -80d openssl x509 -req -in "$WORK/$1.csr" -signkey "$WORK/$1.key" -days "$2" -out "$WORK/$1.crt" 2>"$WORK/openssl.log"
}
certificate expired 79
certificate soon 100
sed "\$ a tls: {cert_file: $WORK/expired.crt, key_file: $WORK/expired.key}" "$WORK/no-key.yaml" >"$WORK/expired.yaml"
expect 1 "tls.cert_file: $WORK/expired.crt: the certificate has expired" "$GATEWAY" --config "$WORK/expired.yaml" --check-config
grep -qF "merchants[0].api_key_file: $WORK/no-key" "$WORK/out" || fail "only one of two problems"
sed "\$ a tls: {cert_file: $WORK/soon.crt, key_file: $WORK/soon.key}" "$WORK/gateway.yaml" >"$WORK/soon.yaml"
expect 0 "warning: tls.cert_file: $WORK/soon.crt: the certificate expires soon" "$GATEWAY" --config "$WORK/soon.yaml" \
  --check-config
# Two gateways can share neither a store nor a port.
expect 1 "gateway.db" "$GATEWAY" --config "$WORK/gateway.yaml"
sed "s#gateway.db#other.db#" "$WORK/gateway.yaml" >"$WORK/same-port.yaml"
expect 1 "cannot listen on $GRPC" "$GATEWAY" --config "$WORK/same-port.yaml" --listen "$GRPC"

[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$ADMIN/livez")" = 200 ] || fail livez
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$ADMIN/readyz")" = 200 ] || fail readyz
curl -sf "http://$ADMIN/configz" | grep -q 'base_url' || fail configz
[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://$WEBHOOKS/webhooks/kustom" -d '{}')" = 401 ] ||
  fail "an unsigned webhook"

# metric SERIES VALUE: until the operator's page says so.
metric() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    curl -sf "http://$ADMIN/metrics" | grep -qxF -- "$1 $2" && return 0
    sleep 0.05
  done
  curl -sf "http://$ADMIN/metrics" | grep -F -- "${1%%{*}" || true
  fail "$1 is not $2"
}
# taken COUNT: until so many webhooks were answered 200; the gateway may have known the session already.
taken() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    [ "$(curl -sf "http://$ADMIN/metrics" | awk '/^ipp_webhooks_total\{result="(accepted|duplicate)"/ {n += $2} END {print n}')" \
      -eq "$1" ] && return 0
    sleep 0.05
  done
  fail "not $1 webhooks taken"
}
# sessions COUNT: each is one webhook.
sessions() {
  local count
  for ((count = 0; count < $1; count++)); do
    "$BUILD/client/ippctl" --address "$GRPC" sessions create --device "$device" --amount 100 --currency SEK \
      --reference SHOP-1001 >"$WORK/session" || fail "no session"
  done
}

# A line that cannot be decoded, written into the webhook secrets while the gateway runs: all of the old ones stay in use,
# webhooks are taken, and the log has one line, however many webhooks come.
device=$("$BUILD/client/ippctl" --address "$GRPC" simulate device --name Till -o json | jq -r .device.id)
sessions 1
taken 1
cp "$WORK/webhook-secrets" "$WORK/good-secrets"
echo 'whsec_hunter2!' | cat "$WORK/good-secrets" - >"$WORK/next"
mv "$WORK/next" "$WORK/webhook-secrets"
metric 'ipp_secret_file_refused{kind="webhook_secrets"}' 1
sessions 3
taken 4
[ "$(grep -c 'webhook-secrets' "$GATEWAY_LOG")" -eq 1 ] || fail "not one line for one change: $(cat "$GATEWAY_LOG")"
! grep -q hunter2 "$GATEWAY_LOG" || fail "a secret in the log"
expect 1 "merchants[0].webhook_secrets_file" "$GATEWAY" --config "$WORK/gateway.yaml" --check-config
mv "$WORK/good-secrets" "$WORK/webhook-secrets"
metric 'ipp_secret_file_refused{kind="webhook_secrets"}' 0
sessions 1
taken 5

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
