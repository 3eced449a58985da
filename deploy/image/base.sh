#!/usr/bin/env bash
# base.sh OUT.tar: the image's root file system but for the gateway, from Debian's packages, as this machine's apt gets
# them. As root. The packages are unpacked and no more: no shell, no package manager, nothing that could run but the
# gateway and ippctl. To look into a running one: kubectl debug.
set -euo pipefail
out=$(realpath -m "$1")
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" -eq 0 ] || { echo "base.sh: needs root, to make files that belong to root" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sources=/etc/apt/sources.list.d/debian.sources
[ -f "$sources" ] || sources=/etc/apt/sources.list
include=$(grep -v '^#' "$here/packages" | paste -sd,)
# The caches are kept for the list of packages below.
mmdebstrap --quiet --variant=extract --skip=cleanup/apt --include="$include" bookworm "$work/all" "$sources" 2>"$work/log" ||
  { cat "$work/log" >&2; exit 1; }
cd "$work/all"
mkdir -p "$work/root"
keep() { for path; do [ ! -e "$path" ] || cp -a --parents "$path" "$work/root/"; done; }
libraries=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
keep lib lib64 "$libraries" usr/share/grpc usr/share/zoneinfo etc/ld.so.conf.d etc/services etc/protocols \
  etc/ssl/openssl.cnf usr/lib/ssl usr/share/doc/*/copyright

# What scanners read where there is no dpkg: a file a package.
mkdir -p "$work/root/var/lib/dpkg/status.d"
for deb in var/cache/apt/archives/*.deb; do
  dpkg-deb -f "$deb" Package Status Version Architecture Source Maintainer \
    >"$work/root/var/lib/dpkg/status.d/$(dpkg-deb -f "$deb" Package)"
done

cd "$work/root"
# Its own script would have made it.
mkdir -p etc/ssl/certs
cat "$work"/all/usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
echo 'hosts: files dns' >etc/nsswitch.conf
printf '%s\n' 'root:x:0:0:root:/:/usr/sbin/nologin' \
  'ipp-gateway:x:10001:10001::/var/lib/ipp-gateway:/usr/sbin/nologin' >etc/passwd
printf '%s\n' 'root:x:0:' 'ipp-gateway:x:10001:' >etc/group
echo '/usr/local/lib' >etc/ld.so.conf
echo 'include /etc/ld.so.conf.d/*.conf' >>etc/ld.so.conf
ldconfig -r . 2>/dev/null
rm -rf var/cache/ldconfig
# Where volumes go. A runtime with a read-only root file system cannot make them.
mkdir -p etc/ipp-gateway run/secrets proc sys dev usr/local/bin
install -d -m 1777 tmp
install -d -o 10001 -g 10001 -m 0750 var/lib/ipp-gateway
mkdir -p "$(dirname "$out")"
tar --sort=name --numeric-owner --format=posix -cf "$out" .
