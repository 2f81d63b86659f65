package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

var update = flag.Bool("update", false, "write testdata/recorded.json anew")

// recorded is a call of an editor and what the plugin answers.
type recorded struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body,omitempty"`
	Status int32           `json:"status"`
	Answer json.RawMessage `json:"answer"`
}

// TestRecorded keeps the answers true that the editors are given when they are
// tried in a browser: each is what this plugin answers with a collector behind
// it. A list may have grown since.
func TestRecorded(t *testing.T) {
	const file = "../testdata/recorded.json"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var calls []recorded
	if err := json.Unmarshal(text, &calls); err != nil {
		t.Fatal(err)
	}
	address, _ := collector(t, testRuns()...)
	p, at := start(t), settings(address, nil, nil)
	gone := settings("http://127.0.0.1:1", nil, nil)
	for i, c := range calls {
		where := at
		if c.Status == http.StatusBadGateway {
			where = gone
		}
		status, text := p.answer(t, where, c)
		if *update {
			calls[i].Status, calls[i].Answer = status, json.RawMessage(text)
			continue
		}
		if status != c.Status || !holds(t, text, c.Answer) {
			t.Errorf("%s %s %s: status %d (recorded: %d)\n%s\nrun with -update, then npm run mount\n%s",
				c.Method, c.Path, c.Body, status, c.Status, text, cmp.Diff(string(c.Answer), text))
		}
	}
	if *update {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(calls); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// answer is what Grafana's server would answer to the call.
func (p running) answer(t *testing.T, at *pluginv2.PluginContext, c recorded) (status int32, text string) {
	t.Helper()
	if c.Path != "query" {
		return p.call(t, at, c.Method, c.Path, string(c.Body))
	}
	res := p.ask(t, at, base, base.Add(20*time.Minute), string(c.Body))
	for _, f := range res["A"].Frames { // what differs each time
		f.Meta.Custom, f.Meta.Stats, f.Meta.ExecutedQueryString = nil, nil, ""
	}
	body, err := json.Marshal(backend.QueryDataResponse{Responses: res})
	if err != nil {
		t.Fatal(err)
	}
	return int32(res["A"].Status), string(body)
}

// holds says whether the answer has all that was recorded, in its order.
func holds(t *testing.T, text string, was json.RawMessage) bool {
	t.Helper()
	var now, then map[string]any
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&now); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(was, &then); err != nil {
		t.Fatal(err)
	}
	for key, value := range then {
		list, ok := value.([]any)
		if !ok {
			if !cmp.Equal(value, now[key]) {
				return false
			}
			continue
		}
		left, _ := now[key].([]any)
		for _, item := range list {
			i := slices.IndexFunc(left, func(v any) bool { return cmp.Equal(v, item) })
			if i < 0 {
				return false
			}
			left = left[i+1:]
		}
	}
	return true
}
