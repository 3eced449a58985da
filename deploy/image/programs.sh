#!/usr/bin/env bash
# programs.sh [CMAKE_OPTION...]: builds what is shipped, on the Debian that it is for (build.sh runs it in a root file system),
# pays once with it, strikes it with every fault of a create, and leaves in build/shipped:
# * programs/, without their debugging symbols
# * compiled-in: the packages of which headers alone are used, as NAME=VERSION
# * packages: those that the programs need to run, by what they are linked with
set -euo pipefail
cd "$(dirname "$0")/../.."
./dev shipped "$@"
rm -rf build/shipped
mkdir -p build/shipped/programs
for program in server/ipp-gateway client/ippctl; do
  strip -o "build/shipped/programs/${program##*/}" "build/release/$program"
done
dpkg-query -W -f '${db:Status-Status} ${Package}=${Version}\n' 'libboost1.[0-9][0-9]-dev' rapidjson-dev |
  sed -n 's/^installed //p' >build/shipped/compiled-in
mapfile -t libraries < <(ldd build/shipped/programs/* | sed -n 's,.* => \(/[^ ]*\) .*,\1,p' | sort -u | xargs realpath)
{
  printf '%s\n' ca-certificates tzdata
  dpkg-query -S "${libraries[@]}" | cut -d: -f1
} | sort -u >build/shipped/packages
./dev faults --shipped --rounds 2 --beds 4 --seed 1 --dialect random
