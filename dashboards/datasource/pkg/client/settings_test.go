package client

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"
)

// TestEmittedSettings reads what the data source's page emits when it is filled
// in: each setting is where this package looks for it.
func TestEmittedSettings(t *testing.T) {
	text, err := os.ReadFile("../../testdata/emitted/config.json")
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		URL     string            `json:"url"`
		Access  string            `json:"access"`
		Options json.RawMessage   `json:"jsonData"`
		Secrets map[string]string `json:"secureJsonData"`
	}
	if err := json.Unmarshal(text, &page); err != nil {
		t.Fatal(err)
	}
	s := backend.DataSourceInstanceSettings{URL: page.URL, JSONData: page.Options, DecryptedSecureJSONData: page.Secrets}
	opts, err := s.HTTPClientOptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := &httpclient.TLSOptions{CACertificate: "a certificate", ClientCertificate: "another", ClientKey: "its key", ServerName: "collector.internal"}
	if d := cmp.Diff(want, opts.TLS); d != "" {
		t.Errorf("TLS (-want +got):\n%s", d)
	}
	if opts.Timeouts.Timeout != 12*time.Second || page.Secrets[keyToken] != "sesame" || page.Access != "proxy" {
		t.Errorf("timeout %s, token %q, access %q", opts.Timeouts.Timeout, page.Secrets[keyToken], page.Access)
	}
	if u, err := parseURL(page.URL); err != nil || u.Host != "collector.example:8480" {
		t.Errorf("%v: %v", u, err)
	}
}
