// Package dashboards is what Firstframe brings for Grafana. Its sub-packages
// make the dashboards and alert rules; [Files] is what they make, as it is
// committed beside them and as Grafana's file provisioning reads it.
//
// The data source that they ask, a plugin, is in datasource; rules for those
// who have Prometheus and no Grafana are in prometheus, and what to do when an
// alert comes is in runbooks.
package dashboards

import (
	"path"

	"github.com/firstframe/firstframe/dashboards/alerting"
	"github.com/firstframe/firstframe/dashboards/boards"
)

//go:generate go run ./generate

// Files are the generated files: their paths below this folder, with slashes,
// and what is in them.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, d := range boards.All() {
		text, err := d.JSON()
		if err != nil {
			return nil, err
		}
		files[path.Join("json", d.UID+".json")] = text
	}
	rules, err := alerting.Files()
	if err != nil {
		return nil, err
	}
	for name, text := range rules {
		files[path.Join("alerting", name)] = text
	}
	return files, nil
}
