#!/usr/bin/env bash
# tools.sh OUT: what the tests of deploy/ need beside Debian's packages. kustomize and the Prometheus operator's types
# from Go modules, the schemas of the Kubernetes API from a Python package, promtool out of Debian's package prometheus,
# which is not installed: it would start a server. `./dev tools` runs it.
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
quietly /usr/bin/python3 -m pip download -q --disable-pip-version-check --no-deps --require-hashes -r requirements.txt \
  -d "$out/wheels"
unzip -q "$out"/wheels/*.whl -d "$out/schemas"
[ "$(id -u)" -ne 0 ] || quietly apt-get update -qq
cd "$out"
quietly apt-get -o APT::Sandbox::User=root download -qq prometheus
dpkg -x prometheus_*.deb prometheus
mv prometheus/usr/bin/promtool bin/
rm -rf prometheus prometheus_*.deb wheels log
touch .made
