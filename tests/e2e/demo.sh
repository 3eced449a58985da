#!/usr/bin/env bash
# demo.sh BUILD_DIR: a payment from pairing to paid, through the real gateway and the simulated upstream.
# Exits 0 only when the session ended FINALIZED and the events told so.
set -euo pipefail
BUILD=$1
. "$(dirname "$0")/lib.sh"

tell() { printf '\n\033[1m%s\033[0m\n' "$*"; }
ctl() { "$BUILD/client/ippctl" --address "$GRPC" "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | sed -n 1p; }

tell "1. Kustom's API, simulated, and the gateway in front of it"
start_simulator
start_gateway
echo "   simulator  http://$SIM"
echo "   gateway    grpc $GRPC, webhooks http://$WEBHOOKS, admin http://$ADMIN"

tell "2. A phone for the shop (simulated: no app, no pairing code)"
device=$(ctl -o json simulate device --name "Till 1" | field id)
ctl devices list

tell "3. Somebody subscribes to the events"
"$BUILD/client/ippctl" --address "$GRPC" events tail --from now \
  >"$WORK/events" 2>"$WORK/last-cursor" &
tail_pid=$!
PIDS+=("$tail_pid")
for ((tries = 0; tries < 200; tries++)); do
  curl -sf "http://$ADMIN/metrics" | grep -q '^ipp_events_subscribers 1' && break
  sleep 0.05
done
echo "   ippctl events tail"

tell "4. The shop's backend asks for 250.00 SEK on that phone"
session=$(ctl -o json sessions create --device "$device" --amount 25000 --currency SEK \
  --reference SHOP-1001 | field session_id)
echo "   session $session"

tell "5. The customer's first card is declined, the second one pays"
ctl simulate tap "$session" --outcome INSUFFICIENT_FUNDS
ctl simulate tap "$session"
await "$WORK/events" FINALIZED "$tail_pid"

tell "6. What the subscriber saw"
kill -TERM "$tail_pid"
wait "$tail_pid" || true
sed 's/^/   /' "$WORK/events"
echo "   $(cat "$WORK/last-cursor")"

tell "7. The session, as Kustom has it"
ctl sessions get "$session" | sed 's/^/   /' | tee "$WORK/session"
grep -q 'Status  *FINALIZED' "$WORK/session"
grep -q 'Order  *[0-9a-f-]\{36\}' "$WORK/session"
grep -q 'last cursor: ' "$WORK/last-cursor"
[ "$(grep -c FINALIZED "$WORK/events")" -eq 1 ]
grep -q PAYMENT_FAILED "$WORK/events"

kill -TERM "$GATEWAY_PID"
wait "$GATEWAY_PID"
tell "Paid, exactly once. Everything that was started has stopped."
