#!/usr/bin/env bash
# ippctl_survives.sh BUILD_DIR: the gateway is killed and starts again while `sessions watch`, `events tail` and `webhooks
# listen` follow it: all three go on, and each shows every step once.
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
follow() {  # NAME COMMAND...: says to NAME.out and NAME.err; sets FOLLOWER
  local name=$1
  shift
  "$BUILD/client/ippctl" --address "$GRPC" "$@" >"$WORK/$name.out" 2>"$WORK/$name.err" &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
}

start_simulator --webhook-backoff 0.1
start_gateway
python3 "$HERE/page_code.py" "$HERE/../../docs/ippctl.md" python >"$WORK/receiver.py"
python3 "$WORK/receiver.py" "$WORK/secret" 0 >"$WORK/received" 2>/dev/null &
PIDS+=($!)
await "$WORK/received" '^listening on ' $!
URL=http://localhost:$(sed -n 's/^listening on //p' "$WORK/received")

device=$(ctl simulate device --name "Till 1" -o json | field id)
session=$(ctl sessions create --device "$device" --amount 100 --currency SEK -o json | field session_id)
follow tail events tail --from oldest -o json
tail=$FOLLOWER
follow listen webhooks listen --forward-to "$URL" --secret-file "$WORK/secret" --from oldest
listen=$FOLLOWER
follow watch sessions watch "$session"
watch=$FOLLOWER
for name in tail listen watch; do
  await "$WORK/$name.out" "$([ $name = watch ] && echo CREATED || echo "$session")" "$FOLLOWER"
done

GRPC_PORT=${GRPC##*:}
kill -KILL "$GATEWAY_PID"
wait "$GATEWAY_PID" 2>/dev/null || true
for name in tail listen watch; do await "$WORK/$name.err" '^ippctl: .*; again in ' "$FOLLOWER"; done
start_gateway
for name in tail listen; do await "$WORK/$name.err" '^ippctl: connected again' "$FOLLOWER"; done

ctl simulate tap "$session" --outcome LOST_CARD >/dev/null
ctl simulate tap "$session" >/dev/null
wait "$watch" || fail "watch ended with $?: $(cat "$WORK/watch.err")"
await "$WORK/tail.out" SESSION_EVENT_TYPE_FINALIZED "$tail"
await "$WORK/listen.out" ipp.session.finalized "$listen"
for pid in "$tail" "$listen"; do
  kill -TERM "$pid"
  wait "$pid" || fail "ended with $?"
done

ids() { sed -n 's/.*"event_id":"\([^"]*\)".*/\1/p'; }
ctl events list -o ndjson | ids >"$WORK/log"
diff "$WORK/log" <(ids <"$WORK/tail.out") || fail "tail is not the log"
diff "$WORK/log" <(grep -v ^listening "$WORK/received" | cut -d' ' -f1) || fail "the webhooks are not the log"
[ "$(grep -c ' CREATED ' "$WORK/watch.out")" -eq 1 ] || fail "$(cat "$WORK/watch.out")"
[ "$(tail -n 1 "$WORK/watch.out" | grep -c ' FINALIZED .* order ')" -eq 1 ] || fail "$(cat "$WORK/watch.out")"
echo "ippctl goes on over the gateway's death"
