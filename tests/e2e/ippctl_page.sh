#!/usr/bin/env bash
# ippctl_page.sh BUILD_DIR: runs every block of commands of docs/ippctl.md, in its order, against the real gateway, with the
# page's own webhook receiver. Blocks for "another terminal" run beside the others; those that Ctrl-C ends get a SIGTERM
# at the end and must end well.
set -euo pipefail
BUILD=$(realpath "$1")
HERE=$(cd "$(dirname "$0")" && pwd)
PAGE=$HERE/../../docs/ippctl.md
. "$HERE/lib.sh"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

start_simulator
start_gateway
export IPPCTL_ADDRESS=$GRPC IPPCTL_SIMULATOR=http://$SIM HOME=$WORK/home PATH=$BUILD/client:$PATH
unset IPPCTL_CONFIG
mkdir -p "$HOME/.config/ippctl" "$WORK/page"
cd "$HOME"
python3 "$HERE/page_code.py" "$PAGE" python >receiver.py
python3 "$HERE/page_code.py" "$PAGE" ini >.config/ippctl/config
python3 - "$PAGE" "$WORK/page" <<'PY'
import pathlib, re, sys
blocks = re.findall(r"^```bash\n(.*?)^```$", pathlib.Path(sys.argv[1]).read_text(), re.M | re.S)
for number, block in enumerate(blocks):
    pathlib.Path(sys.argv[2], f"{number:02}").write_text(block)
PY

LIVE=()  # what Ctrl-C ends
WATCHING=
PORT=3000
for block in "$WORK"/page/*; do
  sed -i "s/localhost:3000/localhost:$PORT/; s/webhook-secret\" 3000/webhook-secret\" 0/" "$block"
  if ! grep -q '^# In another terminal' "$block"; then
    . "$block" >>"$WORK/said" || fail "$(cat "$block")"
    continue
  fi
  eval "exec $(grep -v '^#' "$block")" >"$block.out" 2>"$block.err" &
  PIDS+=($!)
  case $(cat "$block") in
    *receiver.py*)
      await "$block.out" '^listening on ' $!
      PORT=$(sed -n 's/^listening on //p' "$block.out")
      RECEIVED=$block.out
      ;;
    *"webhooks listen"*)
      await "$block.err" '^ippctl: listening' $!
      LISTENED=$block.out
      LIVE+=($!)
      ;;
    *"sessions watch"*)
      WATCHING=$!
      await "$block.out" ' CREATED ' $!
      WATCHED=$block.out
      ;;
    *) LIVE+=($!) && TAILED=$block.out ;;
  esac
done

wait "$WATCHING" || fail "sessions watch ended with $?"
grep -q ' payment failed' "$WATCHED" && grep -q ' FINALIZED .* order ' "$WATCHED" || fail "$(cat "$WATCHED")"
grep -q "^Reference *A-1002" "$WORK/said" || fail "$(cat "$WORK/said")"
grep -q ' create asked for  *by ' "$WORK/said" || fail "sessions explain: $(cat "$WORK/said")"
grep -q '^merchant,day,device,currency,paid,' "$WORK/said" || fail "report day: $(cat "$WORK/said")"
# What was paid in the meantime is in the sums, found by its receipt.
"$BUILD/client/ippctl" sessions list --reference A-1002 --status finalized | grep -q "$SESSION" || fail "sessions list"
"$BUILD/client/ippctl" report day | grep -q '^all  *SEK  *[1-9]' || fail "report day: $("$BUILD/client/ippctl" report day)"
await "$TAILED" " FINALIZED .*$SESSION" "${LIVE[0]}"
await "$LISTENED" " ipp.session.finalized *$SESSION  200  [0-9]* ms" "${LIVE[1]}"
# Once as it happened and once by the replay.
[ "$(grep -c "ipp.session.finalized $SESSION" "$RECEIVED")" -eq 2 ] || fail "$(cat "$RECEIVED")"
grep -q '^token-file .*/.config/ippctl/production.token' "$WORK/said" || fail "no setting of production"
for pid in "${LIVE[@]}"; do
  kill -TERM "$pid"
  wait "$pid" || fail "Ctrl-C ended it with $?"
done
! grep -qF "$(sed 's/^whsec_//' webhook-secret)" "$WORK/said" "$WORK"/page/* || fail "the secret was said"
echo "every block of docs/ippctl.md works"
