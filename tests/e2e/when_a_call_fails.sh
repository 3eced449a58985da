#!/usr/bin/env bash
# when_a_call_fails.sh BUILD_DIR: runs the code of docs/when-a-call-fails.md, C++ and Python, against the real gateway
# while its upstream, and the gateway itself, break. It counts what Kustom has made: never more than one.
set -euo pipefail
BUILD=$1
. "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
PAGE=$HERE/../../docs/when-a-call-fails.md
PYTHON=/usr/bin/python3 "$HERE/../polyglot/stubs.sh" python "$WORK/python"

fail() {
  echo "FAILED: $LANGUAGE: $*" >&2
  exit 1
}
uuid() { cat /proc/sys/kernel/random/uuid; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | sed -n 1p; }
faults() { curl -sSf -X PUT "http://$SIM/_sim/faults" --json "{\"faults\": [$1]}" >/dev/null; }
# How many sessions Kustom has for a create, and how many requests came for it.
made() { curl -sSf "http://$SIM/_sim/sessions?merchant_reference1=$1" | { grep -o '"session_id"' || true; } | wc -l; }
asked() { curl -sSf "http://$SIM/_sim/requests?limit=1&merchant_reference1=$1" | sed 's/.*"matching": *\([0-9]*\).*/\1/'; }

# pay ID AMOUNT SECONDS: what the page's code makes of it.
pay() {
  if [ "$LANGUAGE" = cpp ]; then
    timeout 60 "$BUILD/tests/e2e/when_a_call_fails" "$GRPC" "${DEVICE_ID:-$DEVICE}" "$@"
  else
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$WORK/python timeout 60 /usr/bin/python3 "$HERE/when_a_call_fails.py" "$PAGE" \
      "$GRPC" "${DEVICE_ID:-$DEVICE}" "$@"
  fi
}
# expect_pay PATTERN ID AMOUNT SECONDS
expect_pay() {
  local pattern=$1 said
  shift
  said=$(pay "$@" 2>&1) || fail "ended with $?: $said"
  grep -qE "^$pattern$" <<<"$said" || fail "'$said' is not '$pattern'"
}
# expect_count WHAT ID NUMBER
expect_count() {
  local count
  count=$("$1" "$2")
  [ "$count" -eq "$3" ] || fail "$1: $count, not $3"
}
# expect_state ID STATE: as ippctl tells it.
expect_state() {
  local said
  said=$("$BUILD/client/ippctl" --address "$GRPC" sessions outcomes --request-id "$1") || fail "ippctl: $said"
  grep -q "^State  *$2$" <<<"$said" || fail "not $2: $said"
}
until_true() {
  local tries
  for ((tries = 0; tries < 1200; tries++)); do
    "$@" && return
    sleep 0.05
  done
  fail "never: $*"
}
has_read() { [ "$(asked "$1")" -ge "$2" ]; }
# How often a create found its id under way or unknown.
joins() { curl -sf "http://$ADMIN/metrics" | sed -n '/rpc="CreateSession"/s/^ipp_creates_total{.*result="joined".*} //p'; }

nothing_breaks() {
  local id
  id=$(uuid)
  expect_pay "session [0-9a-f-]{36}" "$id" 25000 20
  local first
  first=$(pay "$id" 25000 20)
  expect_pay "$first" "$id" 25000 20
  expect_count made "$id" 1
  # The id belongs to that request.
  expect_pay "later $id" "$id" 100 20
  expect_count made "$id" 1
  expect_state "$id" EXECUTED
}

the_answer_is_lost() {
  local id
  id=$(uuid)
  faults '{"on": "create_session", "do": "reset_after_read"}'
  expect_pay "session [0-9a-f-]{36}" "$id" 25000 20
  expect_count made "$id" 1
  expect_count asked "$id" 1
}

answer_and_webhook_are_lost() {
  local id event before payer
  id=$(uuid)
  faults '{"on": "create_session", "do": "reset_after_read"},
          {"on": "webhook", "type": "ipp.session.created", "do": "lose"}'
  expect_pay "later $id" "$id" 25000 2
  expect_state "$id" UNKNOWN
  # Whoever asks again waits, and gets the session when it turns up.
  before=$(joins)
  pay "$id" 25000 30 >"$WORK/paid" 2>&1 &
  payer=$!
  PIDS+=("$payer")
  joined_since() { [ "$(joins)" != "$before" ]; }
  until_true joined_since
  event=$(curl -sSf "http://$SIM/_sim/webhooks?state=lost&limit=1000" | grep -o '"event_id": *"[^"]*"' | tail -1 | field event_id)
  curl -sSf -X POST "http://$SIM/_sim/webhooks/$event/resend" >/dev/null
  wait "$payer" || fail "ended with $?: $(cat "$WORK/paid")"
  grep -qE '^session [0-9a-f-]{36}$' "$WORK/paid" || fail "$(cat "$WORK/paid")"
  expect_state "$id" EXECUTED
  expect_count made "$id" 1
  expect_count asked "$id" 1
}

kustom_answers_503() {
  local id
  id=$(uuid)
  faults '{"on": "create_session", "do": "error_before"}'
  # Nobody but the simulator knows that it was not done: it is never sent again.
  expect_pay "later $id" "$id" 25000 2
  expect_pay "later $id" "$id" 25000 2
  expect_state "$id" UNKNOWN
  "$BUILD/client/ippctl" --address "$GRPC" sessions outcomes --state unknown -o json >"$WORK/unknown"
  grep -q "$id" "$WORK/unknown" || fail "not among those that are unknown"
  expect_count made "$id" 0
  expect_count asked "$id" 1
}

# What is refused before the ledger is asked says nothing of the call before.
an_earlier_call_is_unknown() {
  local id
  id=$(uuid)
  faults '{"on": "create_session", "do": "error_before"}'
  expect_pay "later $id" "$id" 25000 2
  expect_pay "later $id" "$id" 100 2  # another request under the id
  expect_pay "later $id" "$id" -5 2   # one that is not valid
  DEVICE_ID=no-uuid expect_pay "later $id" "$id" 25000 2
  expect_count asked "$id" 1
  # Of an id that has never been used, it does.
  expect_pay "failed .*" "$(uuid)" -5 2
}

the_id_is_written_in_capitals() {
  local id first
  id=$(uuid)
  expect_pay "session [0-9a-f-]{36}" "$id" 25000 20
  first=$(pay "$id" 25000 20)
  MERCHANT_REFERENCE=$id expect_pay "$first" "${id^^}" 25000 20
  expect_count made "$id" 1
}

kustom_has_enough() {
  local id
  id=$(uuid)
  faults '{"on": "create_session", "do": "too_many", "retry_after": 1}'
  expect_pay "session [0-9a-f-]{36}" "$id" 25000 20
  expect_count made "$id" 1
  expect_count asked "$id" 2
}

kustom_refuses() {
  local id
  id=$(uuid)
  DEVICE_ID=$(uuid) expect_pay "failed the upstream answered 404.*" "$id" 25000 20
  DEVICE_ID=$DEVICE expect_pay "failed request_id: .*device_id.*" "$id" 25000 20
  expect_state "$id" REJECTED
  expect_count made "$id" 0
  expect_count asked "$id" 1
}

the_gateway_dies() {
  local id event payer
  id=$(uuid)
  faults '{"on": "create_session", "do": "hang"}, {"on": "webhook", "type": "ipp.session.created", "do": "lose"}'
  pay "$id" 25000 50 >"$WORK/paid" 2>&1 &
  payer=$!
  PIDS+=("$payer")
  until_true has_read "$id" 1
  kill -KILL "$GATEWAY_PID"
  wait "$GATEWAY_PID" 2>/dev/null || true
  GATEWAY_LOG=$WORK/gateway-again-$LANGUAGE.log
  GRPC_PORT=${GRPC##*:} WEBHOOK_PORT=${WEBHOOKS##*:} ADMIN_PORT=${ADMIN##*:} start_gateway
  has_joined() { [ -n "$(joins)" ]; }
  until_true has_joined
  event=$(curl -sSf "http://$SIM/_sim/webhooks?state=lost&limit=1000" | grep -o '"event_id": *"[^"]*"' | tail -1 | field event_id)
  curl -sSf -X POST "http://$SIM/_sim/webhooks/$event/resend" >/dev/null
  wait "$payer" || fail "ended with $?: $(cat "$WORK/paid")"
  grep -qE '^session [0-9a-f-]{36}$' "$WORK/paid" || fail "$(cat "$WORK/paid")"
  expect_state "$id" EXECUTED
  expect_count made "$id" 1
  expect_count asked "$id" 1
}

# The last try may run into the deadline, and then the answer is "later": but as often as one likes.
kustom_is_not_there() {
  local id tries said
  id=$(uuid)
  for ((tries = 0; tries < 10; tries++)); do
    said=$(pay "$id" 25000 2 2>&1) || fail "ended with $?: $said"
    [ "$said" = "later $id" ] || break
  done
  grep -q '^failed ' <<<"$said" || fail "$said"
  expect_state "$id" NOT_SENT
}

start_simulator
SIMULATOR_PID=${PIDS[-1]}
start_gateway
DEVICE=$("$BUILD/client/ippctl" --address "$GRPC" -o json simulate device --name "Till 1" | field id)
for LANGUAGE in cpp python; do
  for story in nothing_breaks the_answer_is_lost answer_and_webhook_are_lost kustom_answers_503 an_earlier_call_is_unknown \
    the_id_is_written_in_capitals kustom_has_enough kustom_refuses the_gateway_dies; do
    "$story"
    echo "$LANGUAGE: $story"
  done
done
kill -TERM "$SIMULATOR_PID"
wait "$SIMULATOR_PID" || true
for LANGUAGE in cpp python; do
  kustom_is_not_there
  echo "$LANGUAGE: kustom_is_not_there"
done
