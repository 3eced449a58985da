#!/usr/bin/env bash
# point_in_time.sh BUILD_DIR: what deploy/README.md says of a PostgreSQL database that is taken back to a point in time, with
# the page's own commands, a real server and the real gateway: what was before the moment is there, what came after it is
# not, and the gateway knows.
set -euo pipefail
BUILD=$(realpath "$1")
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/lib.sh"

fail() {
  echo "FAILED: $*" >&2
  cat "$GATEWAY_LOG" "$WORK"/pg/backups/server.log >&2 || true
  exit 1
}
ctl() { timeout 20 "$BUILD/client/ippctl" --address "$GRPC" "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | sed -n "${2:-1}p"; }
stop_gateway() {
  kill -TERM "$GATEWAY_PID"
  wait "$GATEWAY_PID" || fail "the gateway did not drain"
}
create() { ctl sessions create --device "$device" --amount 100 --currency SEK --request-id "$1" -o json; }

export LC_ALL=C
bin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi; }
on_server() {  # FILE: runs the commands as the database's superuser
  as env PATH="$bin:$PATH" PGHOST="$WORK/pg" PGUSER=ipp PGDATABASE=postgres PGDATA="$WORK/pg/data" \
    BACKUPS="$WORK/pg/backups" BASE="${BASE:-}" MOMENT="${MOMENT:-}" bash -euo pipefail "$1" </dev/null >>"$WORK/pg.log" 2>&1 ||
    { cat "$WORK/pg.log" >&2; fail "$(basename "$1")"; }
}
# page NAME: the commands of the section of the page.
page() {
  python3 - "$HERE/../../deploy/README.md" "$1" >"$WORK/$1" <<'PY'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read().partition("\n## PostgreSQL to a point in time\n")[2]
section = re.search(rf"\*\*{re.escape(sys.argv[2])}\*\*.*?\n\n((?:    [^\n]*\n)+)", text, re.S)
assert section, f"the page has no {sys.argv[2]}"
print(re.sub(r"^    ", "", section.group(1), flags=re.M), end="")
PY
  chmod a+r "$WORK/$1"
}
stop_postgres() { as "$bin/pg_ctl" stop -s -m immediate -D "$WORK/pg/data" 2>/dev/null || true; }
trap 'stop_postgres; stop_all' EXIT

mkdir -p "$WORK/pg/backups" && chmod 755 "$WORK"
[ "$(id -u)" != 0 ] || chown -R postgres "$WORK/pg"
as "$bin/initdb" -D "$WORK/pg/data" --no-sync --auth=trust -U ipp >/dev/null
as tee -a "$WORK/pg/data/postgresql.conf" >/dev/null <<END
unix_socket_directories = '$WORK/pg'
listen_addresses = ''
END
as "$bin/pg_ctl" start -s -w -D "$WORK/pg/data" -l "$WORK/pg/backups/server.log"
psql -qh "$WORK/pg" -U ipp -d postgres -c 'CREATE DATABASE ipp'
for name in "Archive the log" "Make a base backup" "Go back"; do page "$name"; done
on_server "$WORK/Archive the log"

start_simulator
echo "host=$WORK/pg user=ipp dbname=ipp" >"$WORK/dsn"
cat >"$WORK/gateway.yaml" <<YAML
listen: 127.0.0.1:0
upstream: {base_url: "http://$SIM"}
merchants: [{id: PM00000001, api_key_file: $WORK/api-key, webhook_secrets_file: $WORK/webhook-secrets}]
store: {postgres: {dsn_file: $WORK/dsn}}
webhooks: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
YAML
run_gateway --config "$WORK/gateway.yaml"
device=$(ctl simulate device --name "Till 1" -o json | field id)
first=$(create 11111111-1111-4111-8111-111111111111 | field session_id)
on_server "$WORK/Make a base backup"
BASE=$(echo "$WORK"/pg/backups/base-*)
# In the log alone, before the moment and after it.
second=$(create 22222222-2222-4222-8222-222222222222 | field session_id)
MOMENT=$(psql -Ath "$WORK/pg" -U ipp -d ipp -c 'SELECT clock_timestamp()')
third=$(create 33333333-3333-4333-8333-333333333333 | field session_id)
ctl events list -o json >"$WORK/before.json"
grep -q "$third" "$WORK/before.json" || fail "the third session is not in the log"

stop_gateway
on_server "$WORK/Go back"
run_gateway --config "$WORK/gateway.yaml" --restored
curl -sf "http://$ADMIN/readyz" | grep -q 'restored; creates' || fail "/readyz does not tell of the restore"
ctl events list -o json >"$WORK/after.json"
grep -q "$second" "$WORK/after.json" || fail "what was before the moment is lost: $(cat "$WORK/after.json")"
! grep -q "$third" "$WORK/after.json" || fail "what came after the moment is there"
[ "$(create 11111111-1111-4111-8111-111111111111 | field session_id)" = "$first" ] || fail "another first session"
[ "$(create 22222222-2222-4222-8222-222222222222 | field session_id)" = "$second" ] || fail "another second session"
create 33333333-3333-4333-8333-333333333333 >"$WORK/held" 2>&1 && fail "a create was not held: $(cat "$WORK/held")"
grep -q 'RESTORED_HOLDING' "$WORK/held" || fail "$(cat "$WORK/held")"
# A cursor from before the moment goes on, one from after it never does.
last=$(field cursor '$' <"$WORK/before.json")
ctl events tail --after "$last" -o json --limit 1 >"$WORK/foreign" 2>&1 && fail "a cursor of what is gone goes on"
grep -q 'CURSOR_FOREIGN' "$WORK/foreign" || fail "$(cat "$WORK/foreign")"
ctl events tail --after "$(field cursor <"$WORK/before.json")" -o json --limit 1 >"$WORK/goes-on" 2>&1 ||
  fail "a cursor of what is kept: $(cat "$WORK/goes-on")"
grep -q "$second" "$WORK/goes-on" || fail "not the next event: $(cat "$WORK/goes-on")"
stop_gateway
echo "point_in_time: ok"
