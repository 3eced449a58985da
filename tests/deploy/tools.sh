#!/usr/bin/env bash
# tools.sh OUT: what the tests of deploy/ need beside Debian's packages. kustomize, the Prometheus operator's types and
# the CRDs of the Gateway API from Go modules, the schemas of the Kubernetes API and of CycloneDX from Python packages,
# promtool out of Debian's package, which on Debian 12 would start a server, so that it is not installed. `./dev tools` runs it.
set -euo pipefail
out=$(realpath -m "$1")
cd "$(dirname "$0")"
[ "$out/.made" -nt tools.sh ] && [ "$out/.made" -nt requirements.txt ] && [ "$out/.made" -nt monitoring_types/go.sum ] &&
  [ "$out/.made" -nt monitoring_types/main.go ] && exit
echo "making the tools that test deploy/ ($out)" >&2
rm -rf "$out"
mkdir -p "$out/bin"
# The Go that is there, whatever a module would like; no C compiler.
export GOTOOLCHAIN=local CGO_ENABLED=0
quietly() { "$@" >"$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }; }
GOBIN=$out/bin quietly go install sigs.k8s.io/kustomize/kustomize/v5@v5.0.3
(cd monitoring_types && quietly go build -buildvcs=false -o "$out/bin/" .)
# crds GROUP MODULE VERSION FOLDER: into OUT/crds/GROUP/VERSION. Only data, so that any Go will do: one that is older than the
# module wants says so, after it has fetched it and checked it against Go's checksum database. Then it names the sum.
crds() {
  local zip
  zip=$({ go mod download -json "$2@$3" || true; } | /usr/bin/python3 -c 'import json, sys
found = json.load(sys.stdin)
sys.exit(found.get("Error", "no module")) if not found.get("Sum") else print(found["Zip"])')
  mkdir -p "$out/crds/$1/$3"
  unzip -q -j "$zip" "$2@$3/$4/$1_*.yaml" -d "$out/crds/$1/$3"
}
# The oldest version with BackendTLSPolicy as v1, and the newest that is at hand.
for version in v1.4.1 v1.5.0; do
  crds gateway.networking.k8s.io sigs.k8s.io/gateway-api $version config/crd/standard
done
crds gateway.envoyproxy.io github.com/envoyproxy/gateway v1.6.0 charts/gateway-helm/crds/generated
quietly /usr/bin/python3 -m pip download -q --disable-pip-version-check --no-deps --require-hashes -r requirements.txt \
  -d "$out/wheels"
for wheel in "$out"/wheels/*.whl; do unzip -q "$wheel" -d "$out/schemas"; done
[ "$(id -u)" -ne 0 ] || quietly apt-get update -qq
cd "$out"
# A package of its own since Debian 13.
[ -n "$(apt-cache search --names-only '^promtool$')" ] && package=promtool || package=prometheus
quietly apt-get -o APT::Sandbox::User=root download -qq "$package"
dpkg -x "$package"_*.deb unpacked
mv unpacked/usr/bin/promtool bin/
rm -rf unpacked "$package"_*.deb wheels log
touch .made
