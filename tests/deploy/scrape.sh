#!/usr/bin/env bash
# scrape.sh BUILD_DIR FRESH: /metrics of a real gateway, first of one that has just started, into the file FRESH, then
# after a payment, a cancel and a mistake. What is asserted of them is in alarms_test.py.
set -euo pipefail
BUILD=$1
. "$(dirname "$0")/../e2e/lib.sh"
start_simulator >&2
start_gateway >&2
curl -sf "http://$ADMIN/metrics" >"$2"
ctl() { timeout 30 "$BUILD/client/ippctl" --address "$GRPC" -o json "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | sed -n 1p; }
create() { ctl sessions create --device "$device" --amount 100 --currency SEK --reference SHOP-1001 | field session_id; }

device=$(ctl simulate device --name "Till 1" | field id)
paid=$(create)
ctl simulate tap "$paid" >&2
timeout 30 "$BUILD/client/ippctl" --address "$GRPC" sessions watch "$paid" >&2
ctl sessions cancel "$(create)" >&2
! ctl sessions get no-such-session >&2
curl -sf "http://$ADMIN/metrics"
