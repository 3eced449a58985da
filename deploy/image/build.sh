#!/usr/bin/env bash
# build.sh: the image of what is committed, on any Debian, as root, without an engine. In build/image: ipp-gateway (an OCI
# image layout), ipp-gateway.tar (the same as one file), ipp-gateway.cdx.json (what is in it, CycloneDX).
#
# Everything comes from Debian 13: the programs are built in a root file system of it (build/platforms), the image has its
# packages. The same commit and the same packages give the same digest. From the environment:
# * IPP_DEBIAN_SNAPSHOT=20261129T000000Z  the packages of that time, from IPP_DEBIAN_ARCHIVE (deploy/image/sources.sh); else
#   those of today, brought up to date once a day
# * IPP_IMAGE_SOURCE=URL  the label org.opencontainers.image.source; the repository does not know where it is published
set -euo pipefail
cd "$(dirname "$0")/../.."
out=build/image
mkdir -p "$out"

base=$out/base${IPP_DEBIAN_SNAPSHOT:+-$IPP_DEBIAN_SNAPSHOT}.tar
[ -n "$(find "$base" -mtime -1 -newer deploy/image/packages -newer deploy/image/base.sh 2>/dev/null)" ] || {
  echo "unpacking the image's Debian packages" >&2
  deploy/image/base.sh "$base"
}
tests/platforms/run.sh trixie deploy/image/programs.sh
shipped=build/platforms/trixie${IPP_DEBIAN_SNAPSHOT:+-$IPP_DEBIAN_SNAPSHOT}/src/build/shipped

version=$(sed -n 's/^project(ipp_gateway VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
revision=$(git rev-parse HEAD)
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
digest=$(deploy/image/pack.py "$base" "$shipped/programs" "$out/ipp-gateway" --architecture "$architecture" \
  --version "$version" --revision "$revision" --source "${IPP_IMAGE_SOURCE:-}" | tail -n 1)
mapfile -t compiled_in <"$shipped/compiled-in"
deploy/image/sbom.py "$base" "$shipped/programs" --digest "$digest" --architecture "$architecture" --version "$version" \
  --revision "$revision" --releases "${base%.tar}.releases" --compiled-in "${compiled_in[@]}" >"$out/ipp-gateway.cdx.json"
echo "$digest"
