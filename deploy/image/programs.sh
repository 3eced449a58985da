#!/usr/bin/env bash
# programs.sh: builds what is shipped, on a Debian 13 (build.sh runs it in a root file system), pays once with it, and leaves
# in build/shipped: programs/ without their debugging symbols, and compiled-in, the packages of which headers alone are used,
# as NAME=VERSION.
set -euo pipefail
cd "$(dirname "$0")/../.."
./dev shipped -DIPP_OTEL=ON
rm -rf build/shipped
mkdir -p build/shipped/programs
for program in server/ipp-gateway client/ippctl; do
  strip -o "build/shipped/programs/${program##*/}" "build/release/$program"
done
dpkg-query -W -f '${Package}=${Version}\n' libboost1.83-dev rapidjson-dev >build/shipped/compiled-in
