#!/usr/bin/env bash
# sources.sh SUITE STEM: writes apt's sources for a Debian suite (trixie) to STEM.sources or STEM.list, and prints that
# path. They are this machine's own with the suite's name put in, so mirrors and keys are the machine's. sid comes with
# experimental, and has no suites of updates.
# IPP_DEBIAN_SNAPSHOT=20261129T000000Z in the environment: the archive as it was then, its security updates too; give apt
# Acquire::Check-Valid-Until=false with it. IPP_DEBIAN_ARCHIVE=URL says where past days are kept, as URL/debian/20261129T000000Z
# and URL/debian-security/…; without it, it is what this machine's own sources name, as those of Debian's container images do in
# a comment.
set -euo pipefail
suite=$1
machine=/etc/apt/sources.list.d/debian.sources
[ -f "$machine" ] || machine=/etc/apt/sources.list
out=$2.${machine##*.}
[ "$(. /etc/os-release && echo "$ID")" = debian ] || { echo "sources.sh: this machine is no Debian" >&2; exit 1; }
own=$(. /etc/os-release && echo "$VERSION_CODENAME")
mkdir -p "$(dirname "$out")"
grep -v '^ *#' "$machine" | sed "s/\b$own\b/$suite/g" >"$out"
if [ "$suite" = sid ]; then
  # A stanza or a line of the updates goes; of the rest the names of suites become the two.
  sed -i -E '/^(deb|deb-src) .*sid-/d; s/^(deb .*) sid (.*)/\1 sid \2\n\1 experimental \2/' "$out"
  awk -v RS= '!/sid-security/ { gsub(/sid( sid-[a-z]+)+/, "sid experimental"); print $0 "\n" }' "$out" >"$out.sid"
  mv "$out.sid" "$out"
fi
if [ -n "${IPP_DEBIAN_SNAPSHOT:-}" ]; then
  [[ $IPP_DEBIAN_SNAPSHOT =~ ^[0-9]{8}T[0-9]{6}Z$ ]] ||
    { echo "sources.sh: IPP_DEBIAN_SNAPSHOT is like 20261129T000000Z" >&2; exit 1; }
  archive=${IPP_DEBIAN_ARCHIVE:-$(sed -nE 's,.*(https?://[^ ]+)/debian/[0-9]{8}T[0-9]{6}Z.*,\1,p' "$machine" | head -n 1)}
  [[ $archive =~ ^https?://[^,\ ]+$ ]] ||
    { echo "sources.sh: IPP_DEBIAN_SNAPSHOT needs IPP_DEBIAN_ARCHIVE=URL: $machine names no archive of past days" >&2; exit 1; }
  sed -i -E "s,https?://[^ ]*/(debian|debian-security)/?( |\$),${archive%/}/\1/$IPP_DEBIAN_SNAPSHOT\2,g" "$out"
  [ "$(grep -c "https\?://" "$out")" = "$(grep -c "/$IPP_DEBIAN_SNAPSHOT" "$out")" ] ||
    { echo "sources.sh: not all of $machine can be had as of $IPP_DEBIAN_SNAPSHOT" >&2; exit 1; }
fi
# What is shipped has the suite's security updates, or is not built.
grep -q "\b$suite-security\b" "$out" || [ "$suite" = sid ] ||
  { echo "sources.sh: $machine has no $own-security, so $suite would come without its security updates" >&2; exit 1; }
echo "$out"
