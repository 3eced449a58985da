// Reads one ServiceMonitor or PrometheusRule as JSON on standard input and decodes it into the
// operator's own types, strictly: an unknown field or a wrong type is an error. Kubernetes' schemas
// do not know these two.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	strict "sigs.k8s.io/json"
)

func check(input io.Reader) error {
	document, err := io.ReadAll(input)
	if err != nil {
		return err
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(document, &head); err != nil {
		return err
	}
	var object any
	switch head.APIVersion + " " + head.Kind {
	case "monitoring.coreos.com/v1 ServiceMonitor":
		object = &monitoring.ServiceMonitor{}
	case "monitoring.coreos.com/v1 PrometheusRule":
		object = &monitoring.PrometheusRule{}
	default:
		return fmt.Errorf("%q %q is not a kind that is known here", head.APIVersion, head.Kind)
	}
	// Not encoding/json: it would take `Interval` for `interval`, which the API server does not.
	unknown, err := strict.UnmarshalStrict(document, object)
	if err == nil && len(unknown) > 0 {
		err = unknown[0]
	}
	return err
}

func main() {
	if err := check(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
