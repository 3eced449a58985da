#!/usr/bin/env bash
# backups.sh BUILD_DIR: what deploy/README.md says of backups, with the real binaries: a copy of a store that is in use, a
# restore with --restored, and the move to PostgreSQL. The commands of SQLite are those of the page.
set -euo pipefail
BUILD=$(realpath "$1")
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/lib.sh"

fail() {
  echo "FAILED: $*" >&2
  cat "$GATEWAY_LOG" >&2
  exit 1
}
ctl() { "$BUILD/client/ippctl" --address "$GRPC" "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | sed -n "${2:-1}p"; }
stop_gateway() {
  kill -TERM "$GATEWAY_PID"
  wait "$GATEWAY_PID" || fail "the gateway did not drain"
}
create() { ctl sessions create --device "$device" --amount 100 --currency SEK --request-id "$1" -o json; }
# page NAME: the commands of the section of the page, with its paths and names made those of here.
page() {
  python3 - "$HERE/../../deploy/README.md" "$1" <<'PY' | sed "s#/var/lib/ipp-gateway/#$WORK/#g; s#gateway\.yaml#$WORK/gateway.yaml#g; s#^ipp-gateway#$BUILD/server/ipp-gateway#"
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
section = re.search(rf"\*\*{re.escape(sys.argv[2])}\*\*.*?\n\n((?:    [^\n]*\n)+)", text, re.S)
assert section, f"the page has no {sys.argv[2]}"
print(re.sub(r"^    ", "", section.group(1), flags=re.M), end="")
PY
}
mode() { stat -c %a "$1"; }

start_simulator
start_gateway
device=$(ctl simulate device --name "Till 1" -o json | field id)
first=$(create 11111111-1111-4111-8111-111111111111 | field session_id)
[ "$(mode "$WORK/gateway.db")$(mode "$WORK/gateway.db-wal")" = 600600 ] || fail "others can read the store"

# A backup beside the gateway that runs.
page "Back up" >"$WORK/backup.sh"
grep -q -- --backup "$WORK/backup.sh" || fail "the page has no backup"
bash -eu "$WORK/backup.sh" || fail "no backup"
[ "$(mode "$WORK/backup.db")" = 600 ] || fail "others can read the backup"
bash -eu "$WORK/backup.sh" 2>"$WORK/again" && fail "a backup was overwritten"
grep -q 'is there already' "$WORK/again" || fail "$(cat "$WORK/again")"

# What the backup does not hold.
second=$(create 22222222-2222-4222-8222-222222222222 | field session_id)
timeout 20 "$BUILD/client/ippctl" --address "$GRPC" events list -o json >"$WORK/before.json"
grep -q "$second" "$WORK/before.json" || fail "the second session is not in the log"

# Restored.
stop_gateway
page "Restore" >"$WORK/restore.sh"
grep -v -- --restored "$WORK/restore.sh" >"$WORK/restore-files.sh"
grep -q -- '--restored' "$WORK/restore.sh" || fail "the page does not say --restored"
bash -eu "$WORK/restore-files.sh" || fail "no restore"
run_gateway --config "$WORK/gateway.yaml" --restored
curl -sf "http://$ADMIN/readyz" | grep -q 'restored; creates' || fail "/readyz does not tell of the restore"
# A create that the backup knows is answered; one that it does not know is held.
[ "$(create 11111111-1111-4111-8111-111111111111 | field session_id)" = "$first" ] || fail "another session"
timeout 20 "$BUILD/client/ippctl" --address "$GRPC" sessions create --device "$device" --amount 100 --currency SEK \
  --request-id 22222222-2222-4222-8222-222222222222 >"$WORK/held" 2>&1 && fail "a create was not held: $(cat "$WORK/held")"
grep -q 'RESTORED_HOLDING' "$WORK/held" || fail "$(cat "$WORK/held")"
# Nor is it said that there was none.
ctl sessions outcomes --request-id 22222222-2222-4222-8222-222222222222 >"$WORK/held" 2>&1 && fail "$(cat "$WORK/held")"
grep -q 'RESTORED_HOLDING' "$WORK/held" || fail "$(cat "$WORK/held")"

# Moved to PostgreSQL.
stop_gateway
export LC_ALL=C
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | sed -n 1p)")
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi; }
mkdir "$WORK/pg" && chmod 755 "$WORK"
[ "$(id -u)" != 0 ] || chown postgres "$WORK/pg"
as "$bin/initdb" -D "$WORK/pg/data" --no-sync --auth=trust -U ipp >/dev/null
as "$bin/postgres" -D "$WORK/pg/data" -k "$WORK/pg" -h '' >"$WORK/pg.log" 2>&1 &
PIDS+=($!)
await "$WORK/pg.log" 'ready to accept connections' $!
psql -qh "$WORK/pg" -U ipp -d postgres -c 'CREATE DATABASE ipp'
echo "host=$WORK/pg user=ipp dbname=ipp" >"$WORK/dsn"
sed "s#^store:.*#store: {postgres: {dsn_file: $WORK/dsn}}#" "$WORK/gateway.yaml" >"$WORK/postgres.yaml"
"$BUILD/server/ipp-gateway" --config "$WORK/postgres.yaml" --backup "$WORK/x.db" 2>"$WORK/refused" && fail "a backup of PostgreSQL"
grep -q pg_dump "$WORK/refused" || fail "$(cat "$WORK/refused")"
"$BUILD/server/ipp-gateway" --config "$WORK/postgres.yaml" --copy-store "$WORK/gateway.db" || fail "no copy"
"$BUILD/server/ipp-gateway" --config "$WORK/postgres.yaml" --copy-store "$WORK/gateway.db" 2>"$WORK/refused" && fail "copied twice"
grep -q 'not empty' "$WORK/refused" || fail "$(cat "$WORK/refused")"
run_gateway --config "$WORK/postgres.yaml"
[ "$(create 11111111-1111-4111-8111-111111111111 | field session_id)" = "$first" ] || fail "another session after the move"
# The cursor of the first event, given out by SQLite before the backup, goes on.
cursor=$(field cursor <"$WORK/before.json")
"$BUILD/client/ippctl" --address "$GRPC" events tail --after "$cursor" -o json >"$WORK/after" 2>&1 &
tail=$!
PIDS+=("$tail")
ctl sessions cancel "$first" >/dev/null
await "$WORK/after" 'CANCELLED' "$tail" || fail "the cursor does not go on: $(cat "$WORK/after")"
grep -q 'CREATED"' "$WORK/after" && fail "an event came twice: $(cat "$WORK/after")"
kill "$tail"
stop_gateway
echo "backups: ok"
