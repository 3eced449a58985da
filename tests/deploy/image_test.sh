#!/usr/bin/env bash
# image_test.sh BUILD_DIR BASE.tar: packs the image, has another program unpack it, and starts what is inside as the pod
# of overlays/single would: the same configuration, user 10001, no privileges, a read-only root. In namespaces of its
# own, for mounts and for the network: the ports are the real ones. Needs root for that.
set -euo pipefail
BUILD=$1 BASE=$2
HERE=$(cd "$(dirname "$0")" && pwd)
fail() {
  echo "FAILED: $*" >&2
  [ ! -f "${WORK:-}/log" ] || cat "$WORK/log" >&2
  exit 1
}
[ "$(id -u)" -eq 0 ] || fail "needs root"
[ -f "$BASE" ] || fail "$BASE is missing: \`./dev image\` makes it"

if [ "${3:-}" != inside ]; then
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  mkdir -p "$WORK"/{programs,config,data,secrets/kustom,secrets/callers,secrets/tls}
  cp "$BUILD/server/ipp-gateway" "$BUILD/client/ippctl" "$WORK/programs/"
  strip "$WORK"/programs/*
  digest=$("$HERE/../../deploy/image/pack.py" "$BASE" "$WORK/programs" "$WORK/image")
  umoci unpack --image "$WORK/image:latest" "$WORK/bundle" >/dev/null || fail "umoci cannot unpack the image"
  umoci list --layout "$WORK/image" | grep -qx latest || fail "no tag"

  cp "$HERE/../../deploy/kubernetes/overlays/single/gateway.yaml" "$WORK/config/"
  echo an-api-key >"$WORK/secrets/kustom/api-key"
  echo whsec_c2lnbmluZyBrZXkgb2YgdGhlIHRlc3Q= >"$WORK/secrets/kustom/webhook-secrets"
  printf %s a-token | sha256sum | cut -c1-64 >"$WORK/secrets/callers/order-service.sha256"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=gateway \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$WORK/secrets/tls/tls.key" -out "$WORK/secrets/tls/tls.crt" 2>/dev/null
  # As a Secret volume with fsGroup 10001 and mode 0440.
  chown -R root:10001 "$WORK/secrets" "$WORK/data"
  find "$WORK/secrets" -type f -exec chmod 0440 {} +
  chmod 2770 "$WORK/data"
  # mktemp's folder is root's alone; the gateway's user must get through.
  chmod 0755 "$WORK" "$WORK/bundle"
  export WORK
  unshare --mount --net --pid --fork --kill-child --propagation private "$0" "$BUILD" "$BASE" inside
  echo "the image starts ($digest, $(du -h "$WORK/image.tar" | cut -f1))"
  exit
fi

ROOT=$WORK/bundle/rootfs
ip link set lo up
mount --bind "$ROOT" "$ROOT"
mount --bind "$WORK/secrets" "$ROOT/run/secrets"
mount --bind -o ro "$WORK/config" "$ROOT/etc/ipp-gateway"
mount --bind "$WORK/data" "$ROOT/var/lib/ipp-gateway"
mount -t proc proc /proc
mount --rbind /dev "$ROOT/dev"
mount -o remount,bind,ro "$ROOT"
touch "$ROOT/tmp/x" 2>/dev/null && fail "the root is not read-only"
[ ! -e "$ROOT/bin/sh" ] && [ ! -e "$ROOT/usr/bin/sh" ] || fail "there is a shell"
[ -z "$(find "$ROOT" -xdev -perm /6000 -type f)" ] || fail "there is a setuid program"

# What the pod's securityContext does.
inside=(setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+setuid,+setgid,+sys_chroot
  chroot --userspec=10001:10001 --groups=10001 "$ROOT")
"${inside[@]}" /usr/local/bin/ipp-gateway --version | grep -q '^ipp-gateway ' || fail "--version"
"${inside[@]}" /usr/local/bin/ipp-gateway --config /etc/ipp-gateway/gateway.yaml --check-config >/dev/null || fail "--check-config"

"${inside[@]}" /usr/local/bin/ipp-gateway --config /etc/ipp-gateway/gateway.yaml >"$WORK/log" 2>&1 &
pid=$!
for ((tries = 0; tries < 600; tries++)); do
  grep -q "^listening " "$WORK/log" 2>/dev/null && break
  kill -0 "$pid" 2>/dev/null || fail "it ended"
  sleep 0.05
done
for page in livez readyz metrics configz; do
  curl -sf -m 10 "http://127.0.0.1:9090/$page" >"$WORK/$page" || fail "$page: $(cat "$WORK/$page")"
done
[ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' -d '{}' http://127.0.0.1:8080/webhooks/kustom)" = 401 ] ||
  fail "an unsigned webhook"
grep -q '^Uid:\s10001\s10001\s10001\s10001$' "/proc/$pid/status" || fail "not user 10001: $(grep Uid "/proc/$pid/status")"
grep -q '^CapEff:\s0*$' "/proc/$pid/status" || fail "has capabilities"
grep -q '^NoNewPrivs:\s1$' "/proc/$pid/status" || fail "may gain privileges"
[ -s "$WORK/data/gateway.db" ] || fail "no database on the volume"
# TLS and the callers' tokens: 5 is "not allowed".
code=0
"${inside[@]}" /usr/local/bin/ippctl --address 127.0.0.1:50051 --ca-file /run/secrets/tls/tls.crt locations list \
  >"$WORK/ippctl" 2>&1 || code=$?
[ "$code" -eq 5 ] || fail "a call without a token: exit $code, $(cat "$WORK/ippctl")"

kill -TERM "$pid"
code=0
wait "$pid" || code=$?
[ "$code" -eq 0 ] || fail "drained with exit $code"
