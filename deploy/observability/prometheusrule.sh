#!/bin/sh
# The rules as the Prometheus operator wants them:
#   deploy/observability/prometheusrule.sh > deploy/kubernetes/components/monitoring/prometheusrule.yaml
set -eu
cat <<'YAML'
# Made by deploy/observability/prometheusrule.sh from alerts.yaml and slo.yaml. Change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ipp-gateway
spec:
YAML
"$(dirname "$0")/rules.sh" | sed -n '/^groups:/,$p' | sed 's/^\(.\)/  \1/'
