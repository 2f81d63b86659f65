package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
)

// checkAnswers asks the collector of a fleet whose Brazil through cdn-b gets
// segments 2.4 s late, from a POP that is farther away: once every cell has had a
// round of all its agents, exactly that one is bad, all runs of every other are
// good and served from the right country, and the first byte of segments is where
// it hurts.
func checkAnswers(t *testing.T, f *fleet, start, ordered time.Time) {
	t.Helper()
	cells := len(f.countries()) * len(f.Info.CDNs)
	if len(f.Info.Agents) != 16 || cells != 21 {
		t.Fatalf("%d agents, %d cells", len(f.Info.Agents), cells)
	}
	const round = 10 // runs: two agents play five of target and app
	var rows []map[string]any
	seen := false
	eventually(t, time.Until(ordered.Add(90*time.Second)), "Brazil through cdn-b is bad, and every cell has a round of all its agents", func() bool {
		rows = f.query(t, map[string]any{"from": ordered, "group_by": []string{"country", "cdn", "country_from", "pop_country"}, "measures": []string{"runs", "sli"}})
		ill := filled(rows, cells, 1) && find(rows, "BR through cdn-b")["sli"].(float64) < 0.9
		if ill && !seen {
			t.Logf("answered %.1f s after the order", time.Since(ordered).Seconds())
			seen = true
		}
		return ill && filled(rows, cells, round)
	})
	for _, row := range rows {
		ill := cell(row) == "BR through cdn-b"
		pop, wrong := f.World.Serve(f.World.CDN(row["cdn"].(string)), row["country"].(string))
		if ill {
			pop = wrong
		}
		if row["country_from"] != "geoip" || row["pop_country"] != pop.Country || !ill && row["sli"] != 1.0 {
			t.Errorf("%s: country from %v, served from %v, want %s, sli %v of %v runs",
				cell(row), row["country_from"], row["pop_country"], pop.Country, row["sli"], row["runs"])
		}
	}
	// Of the film alone: its segments are in the caches, those of channels not always.
	firstByte := func(from, to time.Time) float64 {
		rows := f.query(t, map[string]any{"from": from, "to": to, "measures": []string{"segment_ttfb_ms_p50"}, "where": []map[string]any{
			{"dim": "country", "op": "eq", "values": []string{"BR"}}, {"dim": "cdn", "op": "eq", "values": []string{"cdn-b"}},
			{"dim": "target", "op": "eq", "values": []string{"film"}}}})
		return rows[0]["segment_ttfb_ms_p50"].(float64)
	}
	right, wrong := f.World.Serve(f.World.CDN("cdn-b"), "BR")
	late := 2400 + millis(f.World.Path("BR", wrong).RTT-f.World.Path("BR", right).RTT)
	before, after := firstByte(start, ordered), firstByte(ordered, time.Now())
	t.Logf("Brazil through cdn-b: %v; median segment_ttfb_ms of the film %.1f before, %.1f after", find(rows, "BR through cdn-b"), before, after)
	if !within(after-before, late-20, late+millis(wrong.Origin)+slack) { // the far POP's cache is cold
		t.Errorf("segment_ttfb_ms moved by %.0f ms, want %.0f", after-before, late)
	}
	if t.Failed() {
		for _, row := range f.query(t, map[string]any{"from": ordered, "group_by": []string{"country", "cdn", "agent", "target", "app_version", "error_type"},
			"measures": []string{"runs", "ttff_ms_p99"}, "where": []map[string]any{{"dim": "good", "op": "eq", "values": []string{"false"}}}}) {
			t.Log(row)
		}
	}
}

// filled tells whether there are so many cells, each with so many runs.
func filled(rows []map[string]any, cells int, runs float64) bool {
	for _, row := range rows {
		if row["runs"].(float64) < runs {
			return false
		}
	}
	return len(rows) == cells
}

// find is the row of a cell, nil when there is none.
func find(rows []map[string]any, name string) map[string]any {
	for _, row := range rows {
		if cell(row) == name {
			return row
		}
	}
	return nil
}

// checkShip makes runs from a laptop and sends them too: each is there with its
// steps, and counts for nothing that the fleet is asked for.
func checkShip(t *testing.T, f *fleet) {
	t.Helper()
	out, err := exec.Command(f.bins["agent"], "probe", "--json", "--repeat", "3", "--allow-private", "--ca", f.Info.CA,
		"--resolver", f.Info.DNS.String(), "--bind", f.Info.Agents[0].Addr.String(), "--ship", f.collector.OTLPHTTP,
		f.Info.Streams["hls-cmaf"]).Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 3 {
		t.Fatalf("agent probe --ship: %v: %s", err, out)
	}
	for _, line := range lines {
		var sent run.Run
		if err := json.Unmarshal([]byte(line), &sent); err != nil {
			t.Fatal(err)
		}
		var got struct {
			run.Run
			Expired bool `json:"steps_expired"`
		}
		eventually(t, 10*time.Second, "a run that was shipped can be read", func() bool {
			code, text, err := call("GET", f.collector.HTTP+"/api/v1/runs/"+sent.RunID, nil)
			if err != nil || code != 200 {
				return false
			}
			var raw map[string]json.RawMessage
			if err := json.Unmarshal(text, &raw); err != nil {
				t.Fatal(err)
			}
			got.Expired = string(raw["steps_expired"]) != "false"
			delete(raw, "steps_expired")
			if text, err = json.Marshal(raw); err == nil {
				err = json.Unmarshal(text, &got.Run)
			}
			if err != nil {
				t.Fatal(err)
			}
			return true
		})
		if got.Expired || len(got.Steps) != len(sent.Steps) || fmt.Sprint(deref(got.TTFFMs)) != fmt.Sprint(deref(sent.TTFFMs)) || got.Source != run.SourceAdhoc || got.ReceivedAt == nil {
			t.Errorf("sent %s with %d steps, got %+v", line, len(sent.Steps), got)
		}
	}
}
