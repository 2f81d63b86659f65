package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/client"
)

// MaxValues is the highest number of values that are suggested at a time.
const MaxValues = query.MaxValues

// CallResource answers what the editors ask, as JSON:
//
//   - GET dimensions and GET measures: what there is, as the collector lists it.
//   - POST values: the values of a dimension, the most frequent first. The
//     body is {"dim","prefix","where","from","to","limit"}, of which dim alone
//     is needed; the answer {"values":["BR",…]}.
func (d *Datasource) CallResource(ctx context.Context, req *backend.CallResourceRequest, sender backend.CallResourceResponseSender) error {
	body, err := d.resource(ctx, req)
	status := http.StatusOK
	if err != nil {
		var message string
		status, message, _ = explain(err)
		body, err = json.Marshal(map[string]string{"message": message})
		if err != nil {
			return err
		}
	}
	return sender.Send(&backend.CallResourceResponse{
		Status: status, Headers: map[string][]string{"Content-Type": {"application/json"}}, Body: body,
	})
}

func (d *Datasource) resource(ctx context.Context, req *backend.CallResourceRequest) ([]byte, error) {
	if d.broken != nil {
		return nil, d.settingsError()
	}
	switch req.Method + " " + req.Path {
	case "GET dimensions", "GET measures":
		return d.client.Get(ctx, "/api/v1/"+req.Path)
	case "POST values":
		values, err := d.values(ctx, req.Body)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string][]string{"values": values})
	}
	return nil, &client.Error{Status: http.StatusNotFound,
		Message: fmt.Sprintf("there are GET dimensions, GET measures and POST values, not %s %s", req.Method, req.Path)}
}

// valuesRequest asks for values of a dimension.
type valuesRequest struct {
	Dim    string       `json:"dim"`
	Prefix string       `json:"prefix"`
	Where  []query.Cond `json:"where"`
	From   query.Time   `json:"from"`
	To     query.Time   `json:"to"`
	Limit  int          `json:"limit"`
}

// values are those that runs have, so that what is suggested has an answer.
func (d *Datasource) values(ctx context.Context, body []byte) ([]string, error) {
	v := valuesRequest{From: query.Ago(query.DefaultRange)}
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, query.Errorf(query.CodeJSON, "", "%v", err)
	}
	a, err := d.client.Query(ctx, v.request())
	if err != nil {
		return nil, err
	}
	values := []string{}
	for _, row := range a.Rows {
		switch value := row[0].(type) {
		case string:
			values = append(values, value)
		case float64:
			values = append(values, fmt.Sprintf("%.0f", value))
		case bool:
			values = append(values, fmt.Sprint(value))
		}
	}
	return values, nil
}

// request is the question whose groups are the values.
func (v valuesRequest) request() *query.Request {
	if v.Limit <= 0 || v.Limit > MaxValues {
		v.Limit = MaxValues
	}
	where := slices.Clone(v.Where)
	if v.Prefix != "" {
		where = append(where, query.Cond{Dim: v.Dim, Op: query.Match, Values: []string{"(?i:" + regexp.QuoteMeta(v.Prefix) + ").*"}})
	}
	if v.Dim == "source" { // or the collector would count the fleet alone
		where = append(where, query.Cond{Dim: v.Dim, Op: query.Exists})
	}
	return &query.Request{From: v.From, To: v.To, GroupBy: []string{v.Dim}, Where: where, Limit: v.Limit}
}
