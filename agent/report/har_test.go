package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// The rules of HAR 1.2, section by section. A name with a question mark may be
// left out; every other must be there; one that is not named must begin with an
// underscore.
type (
	object map[string]any
	list   struct{ of any }
	kind1  string
)

const (
	text     kind1 = "a string"
	date     kind1 = "an ISO 8601 date"
	count    kind1 = "a whole number, -1 when it is not known"
	length   kind1 = "milliseconds"
	orMinus  kind1 = "milliseconds, -1 when they do not apply"
	anything kind1 = "anything"
)

var (
	harPairs = list{object{"name": text, "value": text, "comment?": text}}
	harRules = object{"log": object{
		"version": text, "creator": object{"name": text, "version": text, "comment?": text}, "comment?": text,
		"browser?": object{"name": text, "version": text, "comment?": text},
		"pages?": list{object{
			"startedDateTime": date, "id": text, "title": text, "comment?": text,
			"pageTimings": object{"onContentLoad?": orMinus, "onLoad?": orMinus, "comment?": text},
		}},
		"entries": list{object{
			"pageref?": text, "startedDateTime": date, "time": length, "serverIPAddress?": text, "connection?": text, "comment?": text,
			"request": object{
				"method": text, "url": text, "httpVersion": text, "cookies": harPairs, "headers": harPairs, "queryString": harPairs,
				"headersSize": count, "bodySize": count, "postData?": anything, "comment?": text,
			},
			"response": object{
				"status": count, "statusText": text, "httpVersion": text, "cookies": harPairs, "headers": harPairs,
				"content":     object{"size": count, "mimeType": text, "compression?": count, "text?": text, "encoding?": text, "comment?": text},
				"redirectURL": text, "headersSize": count, "bodySize": count, "comment?": text,
			},
			"cache": object{"beforeRequest?": anything, "afterRequest?": anything, "comment?": text},
			"timings": object{
				"blocked?": orMinus, "dns?": orMinus, "connect?": orMinus, "send": length, "wait": length, "receive": length, "ssl?": orMinus,
				"comment?": text,
			},
		}},
	}}
)

// violations lists where v breaks the rules.
func violations(at string, v, rules any) (found []string) {
	switch rules := rules.(type) {
	case object:
		m, ok := v.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T, want an object", at, v)}
		}
		for name, rule := range rules {
			optional := strings.HasSuffix(name, "?")
			name = strings.TrimSuffix(name, "?")
			if member, ok := m[name]; ok {
				found = append(found, violations(at+"."+name, member, rule)...)
			} else if !optional {
				found = append(found, at+"."+name+" is missing")
			}
		}
		for name := range m {
			if rules[name] == nil && rules[name+"?"] == nil && !strings.HasPrefix(name, "_") {
				found = append(found, at+"."+name+" is no name of HAR 1.2")
			}
		}
	case list:
		l, ok := v.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T, want a list", at, v)}
		}
		for i, member := range l {
			found = append(found, violations(fmt.Sprintf("%s[%d]", at, i), member, rules.of)...)
		}
	case kind1:
		if !fits(v, rules) {
			return []string{fmt.Sprintf("%s is %v, want %s", at, v, rules)}
		}
	}
	return found
}

func fits(v any, k kind1) bool {
	s, isText := v.(string)
	n, isNumber := v.(float64)
	switch k {
	case text:
		return isText
	case date:
		_, err := time.Parse(time.RFC3339Nano, s)
		return err == nil
	case count:
		return isNumber && n >= -1 && n == math.Trunc(n)
	case length:
		return isNumber && n >= 0
	case orMinus:
		return isNumber && (n >= 0 || n == -1)
	}
	return true
}

// archived are runs of every kind: good, failed, without an answer, redirected.
func archived() []run.Run {
	start := time.Date(2026, 7, 1, 12, 0, 0, 123_456_000, time.UTC)
	good, bad, refused := played(), failed(), failed()
	for i, r := range []*run.Run{&good, &bad, &refused} {
		r.RunID, r.StartedAt = strings.Repeat(fmt.Sprint(i), 32), start.Add(time.Duration(i)*time.Minute)
		r.AgentVersion = "1.2.3"
		for k := range r.Steps {
			if s := &r.Steps[k]; !s.IsWait() {
				s.URL, s.Proto, s.Remote = "https://live.example/a/"+string(s.Name)+"?token=a%26b&x=ü&flag", "2", "203.0.113.7:443"
			}
		}
	}
	good.Steps[0].Status, good.Steps[0].Headers = 302, map[string][]string{"x-cache": {"MISS", "HIT"}, "age": {"3"}}
	good.Steps[1].Name, good.Steps[1].Track, good.Steps[1].URL = run.StepManifest, "", "https://edge.example/b"
	refused.ErrorType, refused.ErrorStep = run.ErrConnect, run.StepManifest
	refused.Steps = []run.Step{{Name: run.StepManifest, URL: "https://live.example/", Attempt: 1, EndMs: 30, DNSMs: 10, ConnMs: 20, Error: run.ErrConnect, Detail: "connection refused"}}
	return []run.Run{refused, good, bad}
}

// harEntries is what reading an archive back gives.
type readArchive struct {
	Log struct {
		Pages []struct {
			ID          string  `json:"id"`
			Title       string  `json:"title"`
			TTFF        float64 `json:"_ttff_ms"`
			PageTimings struct{ OnContentLoad, OnLoad float64 }
			Waits       []struct{ Name string } `json:"_waits"`
		}
		Entries []struct {
			Page     string    `json:"pageref"`
			Started  time.Time `json:"startedDateTime"`
			Time     float64
			Request  struct{ QueryString []harPair }
			Response struct {
				Status      int
				Headers     []harPair
				RedirectURL string
				Error       string `json:"_error"`
			}
			Timings struct{ Blocked, DNS, Connect, SSL, Send, Wait, Receive float64 }
			Server  string `json:"serverIPAddress"`
		}
	}
}

func TestHAR(t *testing.T) {
	var b bytes.Buffer
	if err := HAR(&b, archived()); err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(b.Bytes(), &plain); err != nil {
		t.Fatal(err)
	}
	for _, v := range violations("har", plain, harRules) {
		t.Error(v)
	}
	var har readArchive
	if err := json.Unmarshal(b.Bytes(), &har); err != nil {
		t.Fatal(err)
	}
	pages := har.Log.Pages
	if len(pages) != 3 || pages[0].ID[0] != '0' || pages[0].PageTimings.OnContentLoad != 540.2 || pages[0].PageTimings.OnLoad != 612.4 ||
		pages[0].TTFF != 612.4 || len(pages[0].Waits) != 1 || pages[1].PageTimings.OnLoad != -1 {
		t.Errorf("pages %+v", pages)
	}
	entries := har.Log.Entries
	if len(entries) != 3+4+1 {
		t.Fatalf("%d entries, want the 8 request attempts", len(entries))
	}
	for i, e := range entries {
		sum := e.Timings.Send + e.Timings.Wait + e.Timings.Receive
		for _, ms := range []float64{e.Timings.Blocked, e.Timings.DNS, e.Timings.Connect} { // ssl is a part of connect
			sum += max(0, ms)
		}
		if math.Abs(sum-e.Time) > 1e-9 {
			t.Errorf("entry %d: timings add up to %v, time is %v", i, sum, e.Time)
		}
		if i > 0 && e.Started.Before(entries[i-1].Started) {
			t.Errorf("entry %d starts before the one above it", i)
		}
	}
	first, segment, refused := entries[0], entries[2], entries[7]
	if at := time.Date(2026, 7, 1, 12, 0, 0, 130_456_000, time.UTC); !first.Started.Equal(at) || first.Timings.DNS != 20 || first.Timings.Connect != 82 ||
		first.Timings.SSL != 42 || first.Timings.Wait != 60 || first.Timings.Receive != 1.4 || math.Abs(first.Time-163.4) > 1e-9 || first.Server != "203.0.113.7" {
		t.Errorf("first entry %+v", first)
	}
	if first.Response.RedirectURL != "https://edge.example/b" || segment.Response.RedirectURL != "" {
		t.Errorf("redirected to %q and %q", first.Response.RedirectURL, segment.Response.RedirectURL)
	}
	if diff := cmp.Diff([]harPair{{"age", "3"}, {"x-cache", "MISS"}, {"x-cache", "HIT"}}, first.Response.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]harPair{{"token", "a&b"}, {"x", "ü"}, {"flag", ""}}, segment.Request.QueryString); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if segment.Timings.DNS != -1 || segment.Timings.Connect != -1 || segment.Timings.SSL != -1 {
		t.Errorf("a reused connection's timings %+v", segment.Timings)
	}
	if refused.Response.Status != 0 || refused.Response.Error != "connect: connection refused" || refused.Timings.Connect != 20 || refused.Timings.SSL != -1 {
		t.Errorf("no answer: %+v", refused)
	}
}

// No run, and a run that asked for nothing, make an archive too.
func TestHAROfNothing(t *testing.T) {
	for name, runs := range map[string][]run.Run{"no run": nil, "no request": {{RunID: "a", ErrorType: run.ErrUnsupported}}} {
		var b bytes.Buffer
		var plain any
		if err := HAR(&b, runs); err != nil || json.Unmarshal(b.Bytes(), &plain) != nil {
			t.Fatalf("%s: %v\n%s", name, err, b.String())
		}
		if v := violations("har", plain, harRules); len(v) > 0 {
			t.Errorf("%s: %v", name, v)
		}
	}
}
