// Package client speaks to a collector's people's side over HTTP.
//
// [New] makes a [Client] from a data source's settings. Every error is an
// [*Error] with a message that a person can act on. Bounds: an answer of
// [MaxAnswer] bytes, [MaxConns] requests at a time, each of [DefaultTimeout]
// unless the settings say otherwise. Redirects are not followed, so that a
// token goes nowhere but to the collector.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"

	"github.com/firstframe/firstframe/collector/query"
)

// The bounds of a client.
const (
	MaxAnswer      = 64 << 20         // bytes of one answer, after decompression
	MaxConns       = 8                // connections to the collector, which is how many queries it answers at a time
	DefaultTimeout = 40 * time.Second // of one request; the collector gives up after 30 s
)

// keyToken is the secure setting that holds the collector's token; those of
// TLS are read by Grafana's SDK.
const keyToken = "token"

// Client asks one collector.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New is a client for the collector that s names. Secrets come from the
// decrypted secure settings alone.
func New(ctx context.Context, s backend.DataSourceInstanceSettings) (*Client, error) {
	base, err := parseURL(s.URL)
	if err != nil {
		return nil, err
	}
	opts, err := s.HTTPClientOptions(ctx)
	if err != nil {
		return nil, fmt.Errorf("the data source's settings cannot be used: %w", err)
	}
	if !strings.Contains(string(s.JSONData), `"timeout"`) {
		opts.Timeouts.Timeout = DefaultTimeout
	}
	opts.Timeouts.MaxConnsPerHost = MaxConns
	h, err := httpclient.New(opts)
	if err != nil {
		return nil, fmt.Errorf("the data source's settings cannot be used: %w", err)
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base, token: strings.TrimSpace(s.DecryptedSecureJSONData[keyToken]), http: h}, nil
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case text == "":
		return nil, &Error{Status: http.StatusBadRequest, Message: "the URL of the collector is not set; it is the address of collector serve --http, such as http://127.0.0.1:8480"}
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, &Error{Status: http.StatusBadRequest,
			Message: fmt.Sprintf("%.200q is not the URL of a collector; want one such as http://127.0.0.1:8480", text)}
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return u, nil
}

// URL is where the collector is asked.
func (c *Client) URL() string { return c.base.String() }

// Close lets go of the connections that wait for another request.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Query asks a question about runs. Each row of the answer has as many values
// as there are columns: nil, string, float64 or bool.
func (c *Client) Query(ctx context.Context, req *query.Request) (*query.Answer, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("client: encode request: %w", err)
	}
	if len(body) > query.MaxRequest {
		return nil, &Error{Status: http.StatusBadRequest,
			Message: fmt.Sprintf("the query has %d bytes, at most %d are allowed; choose fewer values", len(body), query.MaxRequest)}
	}
	var a query.Answer
	if err := c.do(ctx, http.MethodPost, "/api/v1/query", body, &a); err != nil {
		return nil, err
	}
	for i, row := range a.Rows {
		if len(row) != len(a.Columns) {
			return nil, c.strange("row %d of the answer has %d values for %d columns", i, len(row), len(a.Columns))
		}
	}
	return &a, nil
}

// Run fetches one run with its steps into out.
func (c *Client) Run(ctx context.Context, id string, out any) error {
	return c.do(ctx, http.MethodGet, "/api/v1/runs/"+url.PathEscape(id), nil, out)
}

// Get fetches the JSON at path, as it is.
func (c *Client) Get(ctx context.Context, path string) (json.RawMessage, error) {
	var text json.RawMessage
	return text, c.do(ctx, http.MethodGet, path, nil, &text)
}

// Ready asks whether the collector's answers are complete; if not, why.
func (c *Client) Ready(ctx context.Context) (reasons []string, err error) {
	status, text, err := c.send(ctx, http.MethodGet, "/readyz", nil)
	if err != nil {
		return nil, err
	}
	var a struct {
		Ready   *bool    `json:"ready"`
		Reasons []string `json:"reasons"`
	}
	known := json.Unmarshal(text, &a) == nil && a.Ready != nil
	switch {
	case known && *a.Ready:
		return nil, nil
	case known && len(a.Reasons) == 0:
		return []string{"it does not say why"}, nil
	case known:
		return a.Reasons, nil
	case status == http.StatusOK || status == http.StatusNotFound:
		return nil, c.strange("no /readyz of a collector there")
	}
	return nil, c.refused(status, text)
}

// do sends a request and decodes a good answer into out.
func (c *Client) do(ctx context.Context, method, path string, body []byte, out any) error {
	status, text, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return c.refused(status, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return c.strange("%v", err)
	}
	return nil
}

// send sends a request and reads the answer whole.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (status int, text []byte, err error) {
	// The base may have a path of its own, where a proxy serves the collector.
	u := strings.TrimRight(c.base.String(), "/") + path
	req, err := http.NewRequestWithContext(ctx, method, u, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("client: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.unreachable(err)
	}
	defer res.Body.Close()
	if to := res.Header.Get("Location"); res.StatusCode >= 300 && res.StatusCode < 400 {
		return 0, nil, c.strange("it redirects to %.200q; if the collector is there, set that as the URL", to)
	}
	text, err = io.ReadAll(io.LimitReader(res.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, c.unreachable(err)
	case len(text) > MaxAnswer:
		return 0, nil, &Error{Status: http.StatusBadRequest,
			Message: fmt.Sprintf("the answer is larger than %d MiB; choose a shorter range, a longer step or a lower limit", MaxAnswer>>20)}
	}
	return res.StatusCode, text, nil
}
