#!/usr/bin/env bash
# base.sh OUT.tar [ARCHITECTURE [SUITE PACKAGES]]: the image's root file system but for the gateway, from the packages of
# Debian 13 with its security updates; on any Debian. As root. The packages are unpacked and no more: no shell, no package
# manager, nothing that could run but the gateway and ippctl. To look into a running one: kubectl debug. ARCHITECTURE is
# Debian's name (amd64, arm64); nothing of it is run. With SUITE sid: the packages that the file PACKAGES lists, of sid, with
# gRPC and Protobuf of experimental. OUT.releases names the archive's states that the packages are of.
# The same packages give the same files; pack.py takes the times away.
set -euo pipefail
export LC_ALL=C
out=$(realpath -m "$1")
architecture=${2:-$(dpkg --print-architecture)}
here=$(cd "$(dirname "$0")" && pwd)
suite=${3:-trixie}
packages=$(realpath "${4:-$here/packages}")
[ "$(id -u)" -eq 0 ] || { echo "base.sh: needs root, to make files that belong to root" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sources=$("$here/sources.sh" "$suite" "$work/apt")
# Its files tell scanners which Debian this is.
include=base-files,$(grep -v '^#' "$packages" | paste -sd,)
options=()
# Of a day in the past, as a list of experimental may be.
[ -z "${IPP_DEBIAN_SNAPSHOT:-}" ] && [ "$suite" != sid ] || options+=(--aptopt='Acquire::Check-Valid-Until "false"')
[ "$suite" != sid ] || options+=(--setup-hook="install -D -m 644 $here/experimental.preferences \"\$1/etc/apt/preferences.d/experimental\"")
# The caches are kept for the list of packages below, the lists for OUT.releases.
mmdebstrap --quiet --variant=extract --architectures="$architecture" --skip=cleanup/apt --include="$include" \
  "${options[@]}" "$suite" "$work/all" "$sources" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
cd "$work/all"
mkdir -p "$work/root"
keep() { for path; do [ ! -e "$path" ] && [ ! -L "$path" ] || cp -a --parents "$path" "$work/root/"; done; }
libraries=usr/lib/$(dpkg-architecture -a"$architecture" -qDEB_HOST_MULTIARCH)
keep lib lib64 usr/lib64 "$libraries" usr/lib/ld-linux* usr/share/grpc usr/share/zoneinfo etc/services etc/protocols \
  etc/ssl/openssl.cnf usr/lib/ssl etc/os-release usr/lib/os-release etc/debian_version
rm -rf "$work/root/usr/lib/ssl/misc" # scripts

# The image's database of packages, which scanners read where there is no dpkg: a file for each package of which something
# is here. Its copyright file says under which licences.
mkdir -p "$work/root/var/lib/dpkg/status.d"
for deb in var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb -f "$deb" Package)
  dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -n 's,^\./,,; /^usr\/share\/doc\//d; /[^/]$/p' >"$work/files"
  found=
  while read -r path; do
    [ ! -e "$work/root/$path" ] && [ ! -L "$work/root/$path" ] || { found=yes; break; }
  done <"$work/files"
  # Its certificates are put together below.
  [ -n "$found" ] || [ "$name" = ca-certificates ] || continue
  dpkg-deb -f "$deb" Package Version Architecture Source Maintainer Homepage >"$work/root/var/lib/dpkg/status.d/$name"
  keep "usr/share/doc/$name/copyright"
done

cd "$work/root"
# Its own script would have made it.
mkdir -p etc/ssl/certs
cat "$work"/all/usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
echo 'hosts: files dns' >etc/nsswitch.conf
printf '%s\n' 'root:x:0:0:root:/:/usr/sbin/nologin' \
  'ipp-gateway:x:10001:10001::/var/lib/ipp-gateway:/usr/sbin/nologin' >etc/passwd
printf '%s\n' 'root:x:0:' 'ipp-gateway:x:10001:' >etc/group
# Where volumes go. A runtime with a read-only root file system cannot make them.
mkdir -p etc/ipp-gateway run/secrets proc sys dev usr/local/bin
install -d -m 1777 tmp
install -d -o 10001 -g 10001 -m 0750 var/lib/ipp-gateway
mkdir -p "$(dirname "$out")"
tar --sort=name --numeric-owner --format=posix -cf "$out" .

# SUITE, its date, and the digest of the signed list that all packages' digests hang on.
cd "$work/all/var/lib/apt/lists"
for list in *_InRelease; do
  codename=$(sed -n 's/^Codename: //p' "$list")
  made=$(date -u -d "$(sed -n 's/^Date: //p' "$list")" +%Y-%m-%dT%H:%M:%SZ)
  echo "$codename $made $(sha256sum <"$list" | cut -c1-64)"
done | sort >"${out%.tar}.releases"
