#!/usr/bin/env bash
# image_test.sh IMAGE [FLAVOUR]: what deploy/image/build.sh made in the folder IMAGE. Another program unpacks the image, and what is
# inside is started as the pods of both overlays would: their configuration, user 10001, no privileges, a read-only root,
# and for `replicated` a real PostgreSQL. In namespaces of its own, for mounts and for the network: the ports are the real
# ones. Then its bill of materials is held against it, and its parts are made again. `./dev image` runs this, as root.
set -euo pipefail
IMAGE=$(realpath "$1")
FLAVOUR=${2:-}
NAME=ipp-gateway${FLAVOUR:+-$FLAVOUR}
HERE=$(cd "$(dirname "$0")" && pwd)
fail() {
  echo "FAILED: $*" >&2
  cat "${WORK:-/nowhere}"/*.log >&2 2>/dev/null || true
  exit 1
}
[ "$(id -u)" -eq 0 ] || fail "needs root"
[ -f "$IMAGE/$NAME/index.json" ] || fail "$IMAGE/$NAME is missing: \`./dev image $FLAVOUR\` makes it"

outside() {
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  mkdir -p "$WORK"/{single,replicated,data,secrets/{kustom,callers,tls,database}}
  umoci unpack --image "$IMAGE/$NAME:latest" "$WORK/bundle" >/dev/null || fail "umoci cannot unpack the image"
  /usr/bin/python3 "$HERE/sbom_check.py" "$IMAGE" "$WORK/bundle/rootfs" "$NAME" || fail "the bill of materials"

  for overlay in single replicated; do
    cp "$HERE/../../deploy/kubernetes/overlays/$overlay/gateway.yaml" "$WORK/$overlay/"
  done
  echo kco_test_api_image >"$WORK/secrets/kustom/api-key"
  echo whsec_c2lnbmluZyBrZXkgb2YgdGhlIHRlc3Q= >"$WORK/secrets/kustom/webhook-secrets"
  printf %s token-of-image | sha256sum | cut -c1-64 >"$WORK/secrets/callers/order-service.sha256"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=gateway \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$WORK/secrets/tls/tls.key" -out "$WORK/secrets/tls/tls.crt" 2>/dev/null
  echo 'host=127.0.0.1 dbname=ipp user=ipp sslmode=disable' >"$WORK/secrets/database/dsn"
  echo password-of-image >"$WORK/secrets/database/password"
  # As a Secret volume with fsGroup 10001 and mode 0440.
  chown -R root:10001 "$WORK/secrets" "$WORK/data"
  find "$WORK/secrets" -type f -exec chmod 0440 {} +
  chmod 2770 "$WORK/data"
  # mktemp's folder is root's alone; the gateway's user must get through.
  chmod 0755 "$WORK" "$WORK/bundle"
  export WORK
  unshare --mount --net --pid --fork --kill-child --propagation private "$0" "$IMAGE" "$FLAVOUR" inside
  ! grep -F -e kco_test_api_image -e c2lnbmluZyBrZXkgb2YgdGhlIHRlc3Q -e token-of-image -e password-of-image \
    "$WORK"/{single,replicated}.log || fail "a secret is in the log"
  echo "the image starts ($(du -h "$IMAGE/$NAME.tar" | cut -f1))"
  made_again
  echo "the same packages give the same base"
}

# What is not of the compiler: the base of the same packages, twice. pack_test.py has the rest.
made_again() {
  local tries of=()
  [ "$FLAVOUR" != experimental ] || of=("$(dpkg --print-architecture)" sid "$IMAGE/packages-sid")
  for tries in 1 2 3; do
    "$HERE/../../deploy/image/base.sh" "$WORK/one.tar" "${of[@]}"
    "$HERE/../../deploy/image/base.sh" "$WORK/two.tar" "${of[@]}"
    # The archive may have changed between.
    ! cmp -s "$WORK/one.releases" "$WORK/two.releases" || break
    [ "$tries" -lt 3 ] || fail "the archive changes all the time"
  done
  local again=()
  for base in one two; do
    mkdir -p "$WORK/$base.programs"
    cp "$WORK/bundle/rootfs/usr/local/bin/ippctl" "$WORK/$base.programs/"
    again+=("$(SOURCE_DATE_EPOCH=1 "$HERE/../../deploy/image/pack.py" "$WORK/$base.tar" "$WORK/$base.programs" "$WORK/again" | tail -n 1)")
  done
  [ "${again[0]}" = "${again[1]}" ] || fail "two images of the same packages: ${again[*]}"
}

start_postgres() {
  local bin=(/usr/lib/postgresql/*/bin)
  local as_postgres=(setpriv --reuid postgres --regid postgres --init-groups)
  install -d -o postgres "$WORK/postgres"
  cp "$WORK/secrets/database/password" "$WORK/postgres/password"
  chown postgres "$WORK/postgres/password"
  {
    "${as_postgres[@]}" "${bin[-1]}/initdb" -D "$WORK/postgres/data" -U ipp --auth=scram-sha-256 \
      --pwfile="$WORK/postgres/password"
    "${as_postgres[@]}" "${bin[-1]}/pg_ctl" -D "$WORK/postgres/data" -w -l "$WORK/postgres/log" \
      -o "-c unix_socket_directories='' -c fsync=off" start
  } >"$WORK/postgres.log" 2>&1 </dev/null || fail "PostgreSQL"
  PGPASSWORD=$(cat "$WORK/secrets/database/password") psql -q -h 127.0.0.1 -U ipp -d postgres -c 'CREATE DATABASE ipp'
}

# What the pod's securityContext does.
pod=(setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+setuid,+setgid,+sys_chroot
  chroot --userspec=10001:10001 --groups=10001 "${WORK:-}/bundle/rootfs")
gateway=("${pod[@]}" /usr/local/bin/ipp-gateway --config /etc/ipp-gateway/gateway.yaml)

check_one() {  # OVERLAY
  mount --bind -o ro "$WORK/$1" "$ROOT/etc/ipp-gateway"
  "${gateway[@]}" --check-config >/dev/null || fail "$1: --check-config"
  local log=$WORK/$1.log pid tries page code=0
  : >"$log"
  "${gateway[@]}" >>"$log" 2>&1 &
  pid=$!
  for ((tries = 0; tries < 600; tries++)); do
    grep -q '^listening ' "$log" && break
    kill -0 "$pid" 2>/dev/null || fail "$1: it ended"
    sleep 0.05
  done
  for page in livez readyz metrics configz; do
    curl -sf -m 10 "http://127.0.0.1:9090/$page" >"$WORK/page" || fail "$1: $page: $(cat "$WORK/page")"
  done
  [ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' -d '{}' http://127.0.0.1:8080/webhooks/kustom)" = 401 ] ||
    fail "$1: an unsigned webhook"
  grep -q '^Uid:\s10001\s10001\s10001\s10001$' "/proc/$pid/status" || fail "$1: $(grep Uid "/proc/$pid/status")"
  grep -q '^CapEff:\s0*$' "/proc/$pid/status" || fail "$1: has capabilities"
  grep -q '^NoNewPrivs:\s1$' "/proc/$pid/status" || fail "$1: may gain privileges"
  # TLS and the callers' tokens: 5 is "not allowed".
  "${pod[@]}" /usr/local/bin/ippctl --address 127.0.0.1:50051 --ca-file /run/secrets/tls/tls.crt locations list \
    >"$WORK/page" 2>&1 || code=$?
  [ "$code" -eq 5 ] || fail "$1: a call without a token: exit $code, $(cat "$WORK/page")"
  kill -TERM "$pid"
  code=0
  wait "$pid" || code=$?
  [ "$code" -eq 0 ] || fail "$1: drained with exit $code"
  umount "$ROOT/etc/ipp-gateway"
}

if [ "${3:-}" != inside ]; then
  outside
  exit
fi
ROOT=$WORK/bundle/rootfs
ip link set lo up
mount -t proc proc /proc
mount --bind "$ROOT" "$ROOT"
mount --bind "$WORK/secrets" "$ROOT/run/secrets"
mount --rbind /dev "$ROOT/dev"
mkdir -p "$ROOT/proc" # as every container has it
mount -t proc proc "$ROOT/proc"
mount -o remount,bind,ro "$ROOT"
! touch "$ROOT/tmp/x" 2>/dev/null || fail "the root is not read-only"
[ ! -e "$ROOT/bin/sh" ] && [ ! -e "$ROOT/usr/bin/sh" ] || fail "there is a shell"
[ -z "$(find "$ROOT" -xdev -perm /6000 -type f)" ] || fail "there is a setuid program"
"${pod[@]}" /usr/local/bin/ipp-gateway --version | grep -q '^ipp-gateway ' || fail "--version"

start_postgres
check_one replicated # nothing that it could write to
kill -TERM "$(head -1 "$WORK/postgres/data/postmaster.pid")"
mount --bind "$WORK/data" "$ROOT/var/lib/ipp-gateway"
check_one single
[ -s "$WORK/data/gateway.db" ] || fail "no database on the volume"
