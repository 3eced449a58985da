#!/usr/bin/env bash
# rollback.sh OLD_BUILD NEW_BUILD [refused]: an update that is taken back, as deploy/README.md says, with the real binaries of
# two releases on one database, in a SQLite file and in PostgreSQL: OLD, NEW, OLD again, NEW again. Creates, sessions and
# cursors of each are known to the next. With `refused`: OLD cannot use NEW's schema; it must say so and change nothing.
# For a release OLD is a build of the last tag; ctest gives one build twice, so that this script stays true.
set -euo pipefail
OLD=$(realpath "$1") NEW=$(realpath "$2") EXPECTED=${3:-}
BUILD=$NEW
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/lib.sh"

fail() {
  echo "FAILED: $STORE: $*" >&2
  cat "$GATEWAY_LOG" >&2
  exit 1
}
ctl() { timeout 20 "$BUILD/client/ippctl" --address "$GRPC" "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | sed -n "${2:-1}p"; }
stop_gateway() {
  kill -TERM "$GATEWAY_PID"
  wait "$GATEWAY_PID" || fail "the gateway did not drain"
}
create() { ctl sessions create --device "$device" --amount 100 --currency SEK --request-id "$1" -o json | field session_id; }
id_of() { printf '%s%s%s%s%s%s%s%s-1111-4111-8111-111111111111' "$1" "$1" "$1" "$1" "$1" "$1" "$1" "$1"; }

start_postgres() {
  export LC_ALL=C
  local bin
  bin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")
  as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi; }
  mkdir "$WORK/pg" && chmod 755 "$WORK"
  [ "$(id -u)" != 0 ] || chown postgres "$WORK/pg"
  as "$bin/initdb" -D "$WORK/pg/data" --no-sync --auth=trust -U ipp >/dev/null
  as "$bin/postgres" -D "$WORK/pg/data" -k "$WORK/pg" -h '' -c fsync=off >"$WORK/pg.log" 2>&1 &
  PIDS+=($!)
  await "$WORK/pg.log" 'ready to accept connections' $!
  psql -qh "$WORK/pg" -U ipp -d postgres -c 'CREATE DATABASE ipp'
  echo "host=$WORK/pg user=ipp dbname=ipp" >"$WORK/dsn"
}

# Everything that is in the database, as text.
content() {
  case $STORE in
    sqlite) sha256sum <"$WORK/gateway.db" ;;
    postgres) pg_dump -h "$WORK/pg" -U ipp -d ipp | grep -v '^\\\(un\)\?restrict' | sha256sum ;;
  esac
}

declare -A made
cursor=
# turn N BUILD: this build goes on with what the turns before have left.
turn() {
  local number=$1 earlier
  BUILD=$2
  run_gateway --config "$WORK/$STORE.yaml" || fail "turn $number: no start"
  [ -n "${device:-}" ] || device=$(ctl simulate device --name "Till 1" -o json | field id)
  for earlier in "${!made[@]}"; do
    [ "$(create "$(id_of "$earlier")")" = "${made[$earlier]}" ] || fail "turn $number: turn $earlier's create was made again"
  done
  made[$number]=$(create "$(id_of "$number")")
  [ -n "${made[$number]}" ] || fail "turn $number: no session"
  if [ -n "$cursor" ]; then
    ctl events tail --after "$cursor" -o json --limit 1 >"$WORK/next" 2>&1 || fail "turn $number: $(cat "$WORK/next")"
    grep -q "${made[$number]}" "$WORK/next" || fail "turn $number: the cursor before does not go on: $(cat "$WORK/next")"
  fi
  ctl events list -o json >"$WORK/events"
  cursor=$(field cursor '$' <"$WORK/events")
  for earlier in "${!made[@]}"; do
    grep -q "${made[$earlier]}" "$WORK/events" || fail "turn $number: turn $earlier's event is not in the log"
  done
  stop_gateway
}

start_simulator
start_postgres
for STORE in sqlite postgres; do
  store="{sqlite: {path: $WORK/gateway.db}}"
  [ $STORE = sqlite ] || store="{postgres: {dsn_file: $WORK/dsn}}"
  cat >"$WORK/$STORE.yaml" <<YAML
listen: 127.0.0.1:0
upstream: {base_url: "http://$SIM"}
merchants: [{id: PM00000001, api_key_file: $WORK/api-key, webhook_secrets_file: $WORK/webhook-secrets}]
store: $store
webhooks: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
YAML
  made=()
  cursor=
  turn 1 "$OLD"
  turn 2 "$NEW"
  if [ "$EXPECTED" = refused ]; then
    before=$(content)
    ! timeout 20 "$OLD/server/ipp-gateway" --config "$WORK/$STORE.yaml" >"$WORK/refused" 2>&1 || fail "the old release started"
    grep -q 'it was written by a newer release' "$WORK/refused" || fail "$(cat "$WORK/refused")"
    [ "$(content)" = "$before" ] || fail "the old release changed the database"
  else
    turn 3 "$OLD"
  fi
  turn 4 "$NEW"
done
echo "rollback: ok${EXPECTED:+ ($EXPECTED)}"
