package plugin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/firstframe/firstframe/collector/query"
)

// healthTimeout bounds a health check: a person waits for it.
const healthTimeout = 15 * time.Second

// CheckHealth asks the collector whether it is ready, and for the runs of the
// last day. Its message says what to do.
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	text, err := d.health(ctx)
	if err != nil {
		_, message, _ := explain(err)
		return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: message}, nil
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: text}, nil
}

func (d *Datasource) health(ctx context.Context) (string, error) {
	if d.broken != nil {
		return "", d.settingsError()
	}
	reasons, err := d.client.Ready(ctx)
	if err != nil {
		return "", err
	}
	a, err := d.client.Query(ctx, &query.Request{From: query.Ago(query.DefaultRange), Measures: []string{"agents"}})
	if err != nil {
		return "", err
	}
	text := "The collector answers"
	if len(a.Rows) == 1 && len(a.Columns) == 2 && a.Rows[0][0] != 0.0 {
		text += fmt.Sprintf(": %.0f runs of %.0f agents in the last 24 hours.", a.Rows[0][0], a.Rows[0][1])
	} else {
		text += ", but has no runs of the fleet in the last 24 hours: are agents running, with its OTLP address as their --collector or --ship?"
	}
	if len(reasons) > 0 {
		text += " It is not ready yet, so that some runs may be missing: " + strings.Join(reasons, "; ") + "."
	}
	return text, nil
}
