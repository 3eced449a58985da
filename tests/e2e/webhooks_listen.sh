#!/usr/bin/env bash
# webhooks_listen.sh BUILD_DIR: `ippctl webhooks listen` between the real gateway and the receiver of docs/ippctl.md, which
# checks every signature: nothing is left out, repeated or out of order, whoever is away meanwhile.
set -euo pipefail
BUILD=$(realpath "$1")
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/lib.sh"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
ctl() { "$BUILD/client/ippctl" --address "$GRPC" "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | sed -n 1p; }
create() { ctl sessions create --device "$device" --amount 100 --currency SEK -o json | field session_id; }
stop() {  # PID: Ctrl-C, and it ends well
  kill -TERM "$1"
  wait "$1" || fail "ended with $?"
}

start_receiver() {  # [PORT]: sets RECEIVER and URL
  rm -f "$WORK/receiver.out" # the words of the one before
  python3 "$WORK/receiver.py" "$WORK/secret" "${1:-0}" >"$WORK/receiver.out" 2>"$WORK/receiver.err" &
  RECEIVER=$!
  PIDS+=("$RECEIVER")
  await "$WORK/receiver.out" '^listening on ' "$RECEIVER"
  PORT=$(sed -n 's/^listening on //p' "$WORK/receiver.out")
  URL=http://127.0.0.1:$PORT/webhooks
}
stop_receiver() {  # what it took is in $WORK/received then
  kill -TERM "$RECEIVER"
  wait "$RECEIVER" || true
  grep -v '^listening' "$WORK/receiver.out" >>"$WORK/received" || true
}
start_listen() {  # FLAGS...: sets LISTEN; returns when it listens
  cat "$WORK/listen.err" >>"$WORK/listen.said" 2>/dev/null || true
  : >"$WORK/listen.err"
  "$BUILD/client/ippctl" --address "$GRPC" webhooks listen --forward-to "$URL" --secret-file "$WORK/secret" \
    --cursor-file "$WORK/cursor" --backoff 50ms "$@" >>"$WORK/sent" 2>"$WORK/listen.err" &
  LISTEN=$!
  PIDS+=("$LISTEN")
  await "$WORK/listen.err" '^ippctl: listening' "$LISTEN"
}
# TYPE SESSION: the receiver has it, and listen has the answer. Stopped before that, it would send it again, as it must.
delivered() {
  await "$WORK/receiver.out" "$1 $2" "$LISTEN"
  await "$WORK/sent" "$1 .*$2 .*200" "$LISTEN"
}
# Every event of the log that Kustom would announce, as "id session".
log() { ctl events list --limit 1000 -o ndjson | sed -n 's/.*"event_id":"\([^"]*\)".*"session_id":"\([^"]*\)".*/\1 \2/p'; }
received() { cut -d' ' -f1,3 "$WORK/received"; }

start_simulator
start_gateway
python3 "$HERE/page_code.py" "$HERE/../../docs/ippctl.md" python >"$WORK/receiver.py"
device=$(ctl simulate device --name "Till 1" -o json | field id)
start_receiver

# A payment, as it happens.
start_listen --from oldest
session=$(create)
ctl simulate tap "$session" --outcome LOST_CARD >/dev/null
ctl simulate tap "$session" >/dev/null
delivered ipp.session.finalized "$session"
grep -q "ipp.payment.failed $session" "$WORK/receiver.out" || fail "no failed payment"
stop "$LISTEN"
grep -q '^last cursor: ' "$WORK/listen.err" || fail "no last cursor"
[ "$(stat -c %a "$WORK/secret")" = 600 ] || fail "others can read the secret"

# Nobody listens for a while; then the receiver is away.
cancelled=$(create)
ctl sessions cancel "$cancelled" >/dev/null
start_listen --from now # the cursor file counts more
delivered ipp.session.cancelled "$cancelled"
stop_receiver
late=$(create)
await "$WORK/listen.err" "of $late: .*; again in " "$LISTEN"
start_receiver "$PORT"
delivered ipp.session.created "$late"
stop "$LISTEN"

# A receiver with another secret takes nothing: it ends, and nothing is lost.
cp "$WORK/secret" "$WORK/secret.kept"
echo whsec_YW5vdGhlcg== >"$WORK/secret"
start_listen --attempts 2
cp "$WORK/secret.kept" "$WORK/secret" # listen has read the other one; the receiver reads it at each webhook
ctl sessions cancel "$late" >/dev/null
code=0
wait "$LISTEN" || code=$?
[ "$code" -eq 6 ] || fail "ended with $code"
grep -q 'the answer was 401; given up after 2 attempts' "$WORK/listen.err" || fail "no word of the end"
start_listen
delivered ipp.session.cancelled "$late"
stop "$LISTEN"
stop_receiver

log >"$WORK/log"
[ "$(wc -l <"$WORK/log")" -ge 8 ] || fail "the log is short: $(cat "$WORK/log")"
diff "$WORK/log" <(received) || fail "not what the log has"
cp "$WORK/received" "$WORK/first"

# A replay has the same ids, in the same order; one of a session only its own.
: >"$WORK/received"
start_receiver
ctl webhooks listen --forward-to "$URL" --secret-file "$WORK/secret" --from oldest --to now >>"$WORK/sent"
stop_receiver
diff "$WORK/first" "$WORK/received" || fail "a replay is not the same"
: >"$WORK/received"
start_receiver
ctl webhooks listen --forward-to "$URL" --secret-file "$WORK/secret" --from oldest --to now --session "$late" \
  -o json >>"$WORK/sent"
stop_receiver
diff <(grep "$late" "$WORK/first") "$WORK/received" || fail "a session's replay is not its own"

# What the gateway found out, and Kustom never tells: only when asked for.
expired=$(create)
curl -sSf -X POST "http://$SIM/_sim/sessions/$expired/expire" >/dev/null
timeout 60 "$BUILD/client/ippctl" --address "$GRPC" sessions watch "$expired" >"$WORK/watched"
grep -q EXPIRED "$WORK/watched" || fail "$(cat "$WORK/watched")"
: >"$WORK/received"
start_receiver
for flags in "" --all-types; do
  ctl webhooks listen --forward-to "$URL" --secret-file "$WORK/secret" --from oldest --to now --session "$expired" \
    $flags >>"$WORK/sent"
done
stop_receiver
[ "$(grep -c "ipp.session.expired $expired" "$WORK/received")" -eq 1 ] || fail "$(cat "$WORK/received")"

# Whoever reads only the first lines ends it, without a word.
ctl events list -o json 2>"$WORK/pipe.err" | head -n 1 >/dev/null || true
[ ! -s "$WORK/pipe.err" ] || fail "$(cat "$WORK/pipe.err")"
code=0
ctl events list >/dev/full 2>"$WORK/full.err" || code=$?
[ "$code" -eq 1 ] && grep -q 'cannot write to standard output' "$WORK/full.err" || fail "a full disk: $code"

key=$(sed 's/^whsec_//' "$WORK/secret")
! grep -qF "$key" "$WORK/sent" "$WORK/listen.said" "$WORK/listen.err" || fail "the secret was said"
echo "webhooks listen loses, repeats and reorders nothing"
