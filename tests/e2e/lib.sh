# Starts the real binaries on free ports and stops them by their process ids. Sourced; needs $BUILD.
WORK=$(mktemp -d)
SIM_LOG=$WORK/simulator.log
GATEWAY_LOG=$WORK/gateway.log
PIDS=()
export IPPCTL_CONFIG=/dev/null  # not what a developer has at home

# Where the suite's scan for secrets finds logs and pages; empty: nobody wants them.
KEPT=${SUITE_LOGS:+$SUITE_LOGS/$(basename "$0" .sh)-$$}

keep_pages() {
  local page
  mkdir -p "$KEPT"
  for page in metrics configz readyz; do
    curl -s -m 10 "http://${ADMIN:-}/$page" >"$KEPT/$page.log" || true  # the gateway may have ended
  done
}

stop_all() {
  local pid
  [ -z "$KEPT" ] || keep_pages
  for pid in "${PIDS[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ -z "$KEPT" ] || cp "$WORK"/*.log "$KEPT/" || true
  rm -rf "$WORK"
}
trap stop_all EXIT

# await FILE PATTERN PID: until the line is there; fails when the process ends first.
await() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    grep -qE "$2" "$1" 2>/dev/null && return 0
    kill -0 "$3" 2>/dev/null || break
    sleep 0.05
  done
  echo "no line matches '$2' in $1:" >&2
  cat "$1" >&2
  return 1
}

# start_simulator [FLAGS...]: sets SIM (host:port).
start_simulator() {
  echo whsec_ZGVtby1zaWduaW5nLWtleS1mb3ItdGhlLXNpbXVsYXRvcg== >"$WORK/webhook-secrets"
  echo kco_test_api_simulator >"$WORK/api-key"
  "$BUILD/simulator/ipp-simulator" --listen "127.0.0.1:${SIM_PORT:-0}" \
    --webhook-secret-file "$WORK/webhook-secrets" "$@" >"$SIM_LOG" 2>&1 &
  PIDS+=($!)
  await "$SIM_LOG" '^listening on ' $! || return 1
  SIM=$(sed -n 's/^listening on //p' "$SIM_LOG")
}

# run_gateway [FLAGS...]: starts it with the configuration as it is and waits until it listens; sets GRPC, WEBHOOKS,
# ADMIN (host:port) and GATEWAY_PID. The log is a new file: the shell truncates an old one only in the child, so that
# `await` could still read the ports of the gateway before.
run_gateway() {
  rm -f "$GATEWAY_LOG"
  "$BUILD/server/ipp-gateway" "$@" >"$GATEWAY_LOG" 2>&1 &
  GATEWAY_PID=$!
  PIDS+=("$GATEWAY_PID")
  await "$GATEWAY_LOG" '^listening ' "$GATEWAY_PID" || return 1
  local line
  line=$(grep '^listening ' "$GATEWAY_LOG")
  GRPC=127.0.0.1:$(sed 's/.*grpc=\([0-9]*\).*/\1/' <<<"$line")
  WEBHOOKS=127.0.0.1:$(sed 's/.*webhooks=\([0-9]*\).*/\1/' <<<"$line")
  ADMIN=127.0.0.1:$(sed 's/.*admin=\([0-9]*\).*/\1/' <<<"$line")
}

# start_gateway: writes the configuration, runs the gateway, gives its webhook address to the simulator.
start_gateway() {
  cat >"$WORK/gateway.yaml" <<YAML
listen: 127.0.0.1:${GRPC_PORT:-0}
upstream: {base_url: "http://$SIM"}
merchants: [{id: PM00000001, api_key_file: $WORK/api-key, webhook_secrets_file: $WORK/webhook-secrets}]
store: {sqlite: {path: $WORK/gateway.db}}
webhooks: {listen: "127.0.0.1:${WEBHOOK_PORT:-0}"}
admin: {listen: "127.0.0.1:${ADMIN_PORT:-0}"}
YAML
  run_gateway --config "$WORK/gateway.yaml" || return 1
  curl -sSf -X PUT "http://$SIM/_sim/webhooks" \
    --json "{\"urls\":[\"http://$WEBHOOKS/webhooks/kustom\"]}" >/dev/null
}
