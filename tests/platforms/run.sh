#!/usr/bin/env bash
# run.sh SUITE [COMMAND...]: makes a root file system of a Debian suite (trixie, sid) in build/platforms/SUITE, puts what is
# committed here into it, and runs COMMAND there (./dev shipped). Packages come as this machine's apt gets them; those of a
# root that is older than a day are brought up to date first. As root. What COMMAND starts ends with it. Remove the folder to
# begin anew. sid takes gRPC and Protobuf from experimental (deploy/image/experimental.preferences). IPP_DEBIAN_SNAPSHOT:
# deploy/image/sources.sh; such a root is in build/platforms/SUITE-SNAPSHOT.
set -euo pipefail
suite=$1
shift
[ $# -gt 0 ] || set -- ./dev shipped
[ "$(id -u)" -eq 0 ] || { echo "run.sh: needs root, for a root file system" >&2; exit 1; }
cd "$(dirname "$0")/../.."
root=$PWD/build/platforms/$suite${IPP_DEBIAN_SNAPSHOT:+-$IPP_DEBIAN_SNAPSHOT}

if [ ! -e "$root/made" ]; then
  rm -rf "$root"
  mkdir -p build/platforms
  sources=$(deploy/image/sources.sh "$suite" "$root")
  options=()
  # Of a day in the past, as a list of experimental may be.
  [ -z "${IPP_DEBIAN_SNAPSHOT:-}" ] && [ "$suite" != sid ] || options+=(--aptopt='Acquire::Check-Valid-Until "false"')
  mmdebstrap --quiet --variant=apt --include=ca-certificates,git "${options[@]}" "$suite" "$root" "$sources" 2>"$root.log" ||
    { cat "$root.log" >&2; exit 1; }
  cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
  # Minutes for hundreds of packages; after a power cut the root is made anew.
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
  [ "$suite" != sid ] || cp deploy/image/experimental.preferences "$root/etc/apt/preferences.d/experimental"
  touch "$root/made"
fi
cp /etc/resolv.conf "$root/etc/"
# A network that looks into TLS needs its authority there too: npm, Go, pip and Maven fetch what only tests use.
authorities=(/usr/local/share/ca-certificates/*.crt)
if [ -e "${authorities[0]}" ]; then
  cp "${authorities[@]}" "$root/usr/local/share/ca-certificates/"
else
  authorities=()
fi
[ -d "$root/src/.git" ] || git init -q "$root/src"
git -C "$root/src" fetch -q "$PWD" HEAD
git -C "$root/src" reset -q --hard FETCH_HEAD

within() {
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -c '
    root=$1
    shift
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    exec env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
      chroot "$root" bash -c "cd /src && exec \"\$@\"" bash "$@"' bash "$root" "$@"
}
[ ${#authorities[@]} -eq 0 ] || within update-ca-certificates >"$root.log" 2>&1 || { cat "$root.log" >&2; exit 1; }
if [ -n "$(find "$root/made" -mtime +0)" ]; then
  within bash -euc 'export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get -y -qq dist-upgrade' >"$root.log" 2>&1 || { cat "$root.log" >&2; exit 1; }
  touch "$root/made"
fi
within "$@"
