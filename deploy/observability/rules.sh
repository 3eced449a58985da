#!/bin/sh
# All rules in one file, for a Prometheus without the operator. RUNBOOK is where your copy of deploy/README.md is read:
#   RUNBOOK=https://git.example.com/ipp-gateway/blob/main/deploy/README.md \
#     deploy/observability/rules.sh > /etc/prometheus/rules/ipp-gateway.yaml
set -eu
cd "$(dirname "$0")"
default=https://git.example.com/ipp-gateway/blob/main/deploy/README.md
{
  cat alerts.yaml
  echo
  sed '1,/^groups:/d' slo.yaml
} | awk -v from="$default#" -v to="${RUNBOOK:-$default}#" '{
  at = index($0, from)
  if (at) $0 = substr($0, 1, at - 1) to substr($0, at + length(from))
  print
}'
