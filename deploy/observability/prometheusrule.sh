#!/bin/sh
# alerts.yaml as the Prometheus operator wants it:
#   deploy/observability/prometheusrule.sh > deploy/kubernetes/components/monitoring/prometheusrule.yaml
set -eu
cat <<'YAML'
# Made by deploy/observability/prometheusrule.sh from alerts.yaml. Change that.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ipp-gateway
spec:
YAML
sed -n '/^groups:/,$p' "$(dirname "$0")/alerts.yaml" | sed 's/^\(.\)/  \1/'
