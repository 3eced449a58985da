#!/usr/bin/env bash
# build.sh [experimental]: the image of what is committed, on any Debian, as root, without an engine. In build/image:
# ipp-gateway (an OCI image layout), ipp-gateway.tar (the same as one file), ipp-gateway.cdx.json (what is in it, CycloneDX);
# of the flavour, ipp-gateway-experimental.
#
# Everything comes from Debian 13: the programs are built in a root file system of it (build/platforms), the image has its
# packages. The flavour experimental comes from Debian sid, with gRPC and Protobuf of experimental, and cannot export spans:
# opentelemetry-cpp needs sid's older gRPC. The same commit and the same packages give the same digest. From the environment:
# * IPP_DEBIAN_SNAPSHOT=20261129T000000Z  the packages of that time, from IPP_DEBIAN_ARCHIVE (deploy/image/sources.sh); else
#   those of today, brought up to date once a day
# * IPP_IMAGE_SOURCE=URL  the label org.opencontainers.image.source; the repository does not know where it is published
set -euo pipefail
cd "$(dirname "$0")/../.."
out=build/image
mkdir -p "$out"

at=${IPP_DEBIAN_SNAPSHOT:+-$IPP_DEBIAN_SNAPSHOT}
packages=deploy/image/packages
description="A gRPC gateway to Kustom's In-Person Payments API"
case ${1:-} in
  '') suite=trixie name=ipp-gateway base=$out/base$at.tar spans=ON ;;
  experimental)
    suite=sid name=ipp-gateway-experimental base=$out/base-sid$at.tar spans=OFF
    description+=", with libraries of no release of Debian: not supported"
    ;;
  *) echo "build.sh: there is no flavour $1, only experimental" >&2; exit 2 ;;
esac

tests/platforms/run.sh "$suite" deploy/image/programs.sh -DIPP_OTEL="$spans"
shipped=build/platforms/$suite$at/src/build/shipped
# Names of packages change in sid from week to week, so there is no list of them to keep.
[ "$suite" = trixie ] || {
  packages=$out/packages-$suite
  cmp -s "$shipped/packages" "$packages" || cp "$shipped/packages" "$packages"
}
[ -n "$(find "$base" -mtime -1 -newer "$packages" -newer deploy/image/base.sh 2>/dev/null)" ] || {
  echo "unpacking the image's Debian packages" >&2
  deploy/image/base.sh "$base" "$(dpkg --print-architecture)" "$suite" "$packages"
}

version=$(sed -n 's/^project(ipp_gateway VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
revision=$(git rev-parse HEAD)
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
digest=$(deploy/image/pack.py "$base" "$shipped/programs" "$out/$name" --name "$name" --description "$description" \
  --architecture "$architecture" --version "$version" --revision "$revision" --source "${IPP_IMAGE_SOURCE:-}" | tail -n 1)
mapfile -t compiled_in <"$shipped/compiled-in"
deploy/image/sbom.py "$base" "$shipped/programs" --name "$name" --digest "$digest" --architecture "$architecture" --version "$version" \
  --revision "$revision" --releases "${base%.tar}.releases" --compiled-in "${compiled_in[@]}" >"$out/$name.cdx.json"
echo "$digest"
