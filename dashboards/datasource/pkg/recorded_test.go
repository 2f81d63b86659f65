package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

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
// it, or holds that and more.
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
		var was, now any
		if err := errors.Join(json.Unmarshal(c.Answer, &was), json.Unmarshal([]byte(text), &now)); err != nil {
			t.Fatal(err)
		}
		if lost := missing("", was, now); status != c.Status || lost != "" {
			t.Errorf("%s %s %s: status %d, recorded %d; %s\nif that is meant: go test -run TestRecorded -update, then npm run mount",
				c.Method, c.Path, c.Body, status, c.Status, lost)
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

// missing says where an answer lacks what was recorded, "" if nowhere. There
// may be more keys and more named things by now, and other words.
func missing(at string, was, now any) string {
	switch was := was.(type) {
	case map[string]any:
		now, _ := now.(map[string]any)
		for key, value := range was {
			if lost := missing(at+"."+key, value, now[key]); lost != "" && key != "doc" && key != "description" {
				return lost
			}
		}
		return ""
	case []any:
		now, _ := now.([]any)
		named := len(was) > 0 && nameOf(was[0]) != ""
		if !named && len(was) != len(now) {
			return fmt.Sprintf("%s is %v, was %v", at, now, was)
		}
		for i, item := range was {
			place := fmt.Sprintf("%s[%d]", at, i)
			if named {
				place = at + "." + nameOf(item)
				i = slices.IndexFunc(now, func(v any) bool { return nameOf(v) == nameOf(item) })
			}
			if i < 0 {
				return place + " is gone"
			}
			if lost := missing(place, item, now[i]); lost != "" {
				return lost
			}
		}
		return ""
	}
	if was != now {
		return fmt.Sprintf("%s is %v, was %v", at, now, was)
	}
	return ""
}

func nameOf(v any) string {
	m, _ := v.(map[string]any)
	name, _ := m["name"].(string)
	return name
}
