// Package plugin answers Grafana: queries of panels, Explore and alert rules,
// the data source's health, and what the editors suggest.
//
// [New] makes a data source of its settings. Bounds: [MaxQueries] of one
// request are asked at the same time; the rest are those of package client.
// What the user or the collector does wrong is a downstream error, so that
// Grafana's own record of the plugin's faults holds only faults of it.
package plugin

import (
	"context"
	"errors"
	"net/http"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/errgroup"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/client"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/frames"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// ID is the plugin's id, as in plugin.json.
const ID = "firstframe-datasource"

// MaxQueries is how many queries of one request are asked at the same time.
const MaxQueries = 4

// Datasource is one data source as a user has set it up.
type Datasource struct {
	client *client.Client
	broken error // why there is no client: the settings are wrong
	source frames.Source
}

var (
	_ backend.QueryDataHandler      = (*Datasource)(nil)
	_ backend.CheckHealthHandler    = (*Datasource)(nil)
	_ backend.CallResourceHandler   = (*Datasource)(nil)
	_ instancemgmt.InstanceDisposer = (*Datasource)(nil)
)

// New is the data source of settings. Wrong settings are no error here, but
// what the health check and every query say.
func New(ctx context.Context, settings backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	c, err := client.New(ctx, settings)
	return &Datasource{client: c, broken: err, source: frames.Source{UID: settings.UID, Name: settings.Name}}, nil
}

// Dispose lets go of connections when the settings have changed.
func (d *Datasource) Dispose() {
	if d.client != nil {
		d.client.Close()
	}
}

// QueryData answers each query of a request on its own: one that fails leaves
// the others alone.
func (d *Datasource) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	answers := make([]backend.DataResponse, len(req.Queries))
	var g errgroup.Group
	g.SetLimit(MaxQueries)
	for i, q := range req.Queries {
		g.Go(func() error {
			made, err := d.answer(ctx, q)
			if err != nil {
				answers[i] = failed(err)
				return nil
			}
			frames.Carry(made)
			for _, f := range made {
				f.RefID = q.RefID
			}
			answers[i] = backend.DataResponse{Status: backend.StatusOK, Frames: made}
			return nil
		})
	}
	g.Wait() // no error: they are in the answers
	res := backend.NewQueryDataResponse()
	for i, q := range req.Queries {
		res.Responses[q.RefID] = answers[i]
	}
	return res, nil
}

// answer answers one query.
func (d *Datasource) answer(ctx context.Context, dq backend.DataQuery) (data.Frames, error) {
	if d.broken != nil {
		return nil, d.settingsError()
	}
	q, err := model.Parse(dq.JSON)
	if err != nil {
		return nil, err
	}
	if q.QueryType == model.Trace {
		return d.trace(ctx, q.RunID)
	}
	req, err := q.Request(model.Range{From: dq.TimeRange.From, To: dq.TimeRange.To, Interval: dq.Interval, Points: dq.MaxDataPoints})
	if err != nil {
		return nil, err
	}
	a, err := d.client.Query(ctx, req)
	if err != nil {
		return nil, err
	}
	return frames.Make(frames.Asked{Model: q, Request: req, From: d.source}, a)
}

func (d *Datasource) trace(ctx context.Context, id string) (data.Frames, error) {
	if id == "" {
		return nil, query.Errorf(query.CodeValue, "run_id", "which run? Give its id of 32 hex digits, or follow a link from a list of runs")
	}
	var r frames.Run
	if err := d.client.Run(ctx, id, &r); err != nil {
		return nil, err
	}
	frame, err := frames.Trace(&r)
	return data.Frames{frame}, err
}

// settingsError is what everything answers while the settings are wrong.
func (d *Datasource) settingsError() error {
	return &client.Error{Status: http.StatusBadRequest, Message: d.broken.Error()}
}

// explain is err as Grafana is to be told: status, message, and whether the
// fault lies outside of the plugin.
func explain(err error) (status int, message string, downstream bool) {
	var q *query.Error
	var c *client.Error
	switch {
	case errors.As(err, &c):
		return c.Status, c.Message, true
	case errors.As(err, &q):
		return http.StatusBadRequest, client.Explain(q), true
	}
	return http.StatusInternalServerError, err.Error(), false
}

// failed is the answer to a query that failed.
func failed(err error) backend.DataResponse {
	status, message, downstream := explain(err)
	source := backend.ErrorSourcePlugin
	if downstream {
		source = backend.ErrorSourceDownstream
	}
	return backend.DataResponse{Status: backend.Status(status), Error: errors.New(message), ErrorSource: source}
}
