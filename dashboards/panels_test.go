package dashboards_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/internal/harness"
	"github.com/firstframe/firstframe/probes/run"
)

// values are what the reader has chosen: a variable that is not there is on
// All.
type values map[string][]string

// page is a running plugin with a world behind it.
type page struct {
	plugin harness.Plugin
	source *pluginv2.PluginContext
}

// TestWorlds asks every panel and every alert rule about worlds of runs: a
// collector each, and the data source's program before them.
func TestWorlds(t *testing.T) {
	plugin := programs.Plugin(t)
	open := func(world change) page { return page{plugin, harness.Settings(start(t, world).URL, nil, nil)} }
	well, bad := open(healthy), open(brazil)
	t.Run("panels", func(t *testing.T) { testPanels(t, well, bad) })
	slower := open(release)
	t.Run("numbers", func(t *testing.T) { testNumbers(t, bad, slower) })
	void := open(nobody)
	t.Run("nothing", func(t *testing.T) { testNothing(t, void) })
	t.Run("alerts", func(t *testing.T) {
		testAlerts(t, map[string]page{
			"healthy": well, "brazil": bad, "ill": open(ill), "recalled": open(recalled), "nobody": void})
	})
}

// ask asks what a panel asks, as Grafana's front end would hand it over.
func (p page) ask(t *testing.T, d *dashboard, panel *panel, set values) data.Frames {
	t.Helper()
	r := p.answer(t, d, panel, set)
	if r.Error != nil {
		t.Fatalf("%s, %s: %v", d.Title, panel.Title, r.Error)
	}
	return r.Frames
}

func (p page) answer(t *testing.T, d *dashboard, panel *panel, set values) backend.DataResponse {
	t.Helper()
	span := panel.TimeFrom
	if span == "" {
		span = strings.TrimPrefix(d.Time.From, "now-")
	}
	length, err := query.ParseDuration(span)
	if err != nil {
		t.Fatal(err)
	}
	points := int64(1000)
	if panel.MaxDataPoints > 0 {
		points = panel.MaxDataPoints
	}
	least, _ := query.ParseDuration(panel.Interval)
	q := harness.Query{From: end.Add(-length), To: end, JSON: interpolate(t, panel.Targets[0], set),
		Points: points, Interval: max(least, length/time.Duration(points))}
	return p.plugin.Ask(t, p.source, q)["A"]
}

// interpolate puts the chosen values into a query, as the data source's front
// end does: a condition on All is left out.
func interpolate(t *testing.T, target map[string]any, set values) string {
	t.Helper()
	text, err := json.Marshal(target)
	if err != nil {
		t.Fatal(err)
	}
	var q map[string]any
	if err := json.Unmarshal(text, &q); err != nil {
		t.Fatal(err)
	}
	if id, ok := q["run_id"].(string); ok {
		q["run_id"] = set[nameOf(id)][0]
	}
	var kept []any
	where, _ := q["where"].([]any)
	for _, c := range where {
		c := c.(map[string]any)
		var all []string
		dropped := false
		vs, _ := c["values"].([]any)
		for _, v := range vs {
			if name := nameOf(v.(string)); name != "" {
				dropped = dropped || set[name] == nil
				all = append(all, set[name]...)
				continue
			}
			all = append(all, v.(string))
		}
		if len(vs) > 0 {
			c["values"] = all
		}
		if !dropped {
			kept = append(kept, c)
		}
	}
	q["where"] = kept
	if text, err = json.Marshal(q); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// nameOf is the name of the variable that text is, or empty.
func nameOf(text string) string {
	name, found := strings.CutPrefix(text, "${")
	if !found {
		return ""
	}
	return strings.TrimSuffix(name, "}")
}

// broken is a run that fails in brazil, and starts in healthy.
func broken() run.Run {
	for _, r := range slices.Backward(runs(brazil)) {
		if !r.OK {
			return r
		}
	}
	panic("no run fails")
}

// first are the values that a dashboard opens with, and of the run's page the
// broken run.
func first(d *dashboard) values {
	switch d.UID {
	case "firstframe-country":
		return values{"country": {"BR"}}
	case "firstframe-run":
		return values{"run_id": {broken().RunID}}
	}
	return values{}
}

// and is set with one more value chosen.
func (v values) and(name string, value ...string) values {
	v = maps.Clone(v)
	v[name] = value
	return v
}

// still are the panels about what a fault in playback leaves alone.
var still = map[string]bool{
	"Playback now, Coverage": true, "Playback now, Seen by": true, "Country, Coverage": true, "Country, Seen by": true,
	"Fleet health, Agents, last 5 min": true, "Fleet health, Agents, last 24 h": true, "Fleet health, Last run": true, "Fleet health, Coverage": true,
	"Fleet health, First certificate to end": true, "Fleet health, Countries of the last 24 h": true, "Fleet health, Coverage by country": true,
	"Fleet health, Runs by country": true, "Fleet health, Certificates of the last 24 h": true, "Run, Who played what": true,
	"App versions, New against old, run against run": true, // both versions are hit: it is not the release
}

// narrow are the panels that one country among seven does not move, since they
// show a median; in that country they move.
var narrow = map[string]bool{"CDN comparison, Time to first frame against the other CDNs": true}

// empty are the panels that show only failures, and nothing while there are
// none.
var empty = map[string]bool{
	"Playback now, Failed runs by cause": true, "Country, Failed and slow runs": true, "App versions, Why runs failed": true,
}

// testPanels wants every panel to show something, and what is bad in Brazil
// there and nowhere else.
func testPanels(t *testing.T, well, bad page) {
	for _, d := range load(t) {
		for i := range d.Panels {
			p := &d.Panels[i]
			if p.Type == "row" {
				continue
			}
			name := d.Title + ", " + p.Title
			t.Run(name, func(t *testing.T) {
				set := first(&d)
				if narrow[name] {
					set = set.and("country", "BR")
				}
				before, after := well.ask(t, &d, p, set), bad.ask(t, &d, p, set)
				checkShown(t, p, after)
				if !empty[name] {
					checkShown(t, p, before)
				} else if len(before) != 1 || before[0].Rows() != 0 {
					t.Errorf("%d frames without a failure", len(before))
				}
				checkMoved(t, name, before, after)
				if d.UID == "firstframe-run" {
					return
				}
				// In no other country, and through no other CDN: those who are
				// there now are there with the same values.
				checkSame(t, well.ask(t, &d, p, set.and("country", "DE")), bad.ask(t, &d, p, set.and("country", "DE")))
				elsewhere := set.and("country", "BR").and("cdn", "cdn-a", "cdn-c")
				checkSame(t, well.ask(t, &d, p, elsewhere), bad.ask(t, &d, p, elsewhere))
				// Every variable set, to one value and to several.
				all := values{"country": {"BR", "DE"}, "cdn": {"cdn-a", "cdn-b"}, "app": {"web"}, "app_version": versions, "target": {"news"},
					"agent": {"BR-1", "BR-3", "DE-1"}, "asn": {"64500", "64600", "64501"}}
				checkShown(t, p, bad.ask(t, &d, p, all))
			})
		}
	}
}

// checkShown wants a frame with rows, the fields that the panel's config names,
// and a value for every measure that was asked for.
func checkShown(t *testing.T, p *panel, frames data.Frames) {
	t.Helper()
	if len(frames) == 0 || frames[0].Rows() == 0 {
		t.Fatalf("nothing to show: %d frames", len(frames))
	}
	has := map[string]bool{}
	for _, f := range frames[0].Fields {
		has[f.Name] = true
	}
	for _, name := range p.names() {
		if !has[name] {
			t.Errorf("the panel shows %q; there are %v", name, slices.Sorted(maps.Keys(has)))
		}
	}
	for _, m := range p.measures() {
		if m == "ttff_ms_avg" && p.Title == "How it ended" {
			continue // there is no first frame in a run that failed: see testNumbers
		}
		if !slices.ContainsFunc(frames[0].Fields, func(f *data.Field) bool { return f.Name == m && known(f) > 0 }) {
			t.Errorf("%s has no value", m)
		}
	}
}

// known is how many values of f are not null.
func known(f *data.Field) int {
	n := 0
	for i := range f.Len() {
		if _, ok := f.ConcreteAt(i); ok {
			n++
		}
	}
	return n
}

// cell is a value with where it stands: the dimensions of its row or series,
// its time, if any, and its field.
type cell struct{ country, cdn, rest string }

// cells are the values of frames, null as nil.
func cells(frames data.Frames) map[cell]any {
	out := map[cell]any{}
	for n, frame := range frames {
		_, at := frame.FieldByName("time")
		wide := at >= 0
		for i := range frame.Rows() {
			row := cell{}
			for _, f := range frame.Fields {
				text, ok := f.ConcreteAt(i)
				if s, is := text.(string); is && ok && !wide {
					row.set(f.Name, s)
				}
			}
			for _, f := range frame.Fields {
				at := row
				for _, name := range slices.Sorted(maps.Keys(f.Labels)) {
					at.set(name, f.Labels[name])
				}
				if v, ok := f.ConcreteAt(i); ok {
					if _, is := v.(string); is {
						continue
					}
					at.rest += fmt.Sprintf(" %d %s", n, f.Name)
					if wide {
						at.rest += fmt.Sprint(" ", i)
					}
					out[at] = v
				}
			}
		}
	}
	return out
}

func (c *cell) set(name, value string) {
	switch name {
	case "country":
		c.country = value
	case "cdn":
		c.cdn = value
	default:
		c.rest += " " + name + "=" + value
	}
}

// differ are the cells in which two answers differ.
func differ(a, b map[cell]any) []cell {
	var list []cell
	for c, v := range a {
		if !equal(v, b[c]) {
			list = append(list, c)
		}
	}
	for c := range b {
		if _, ok := a[c]; !ok {
			list = append(list, c)
		}
	}
	return list
}

// equal is as far as sums in another order are.
func equal(a, b any) bool {
	x, ok := a.(float64)
	y, also := b.(float64)
	if ok && also {
		return math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y), 1)
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// checkMoved wants a difference, and none that is told of another country or
// of another CDN than the broken one. Pairs move for the others too: they are
// what the broken one is compared with.
func checkMoved(t *testing.T, name string, before, after data.Frames) {
	t.Helper()
	moved := differ(cells(before), cells(after))
	if len(moved) > 0 == still[name] {
		t.Errorf("%d values moved, first %v", len(moved), moved[:min(1, len(moved))])
	}
	for _, c := range moved {
		paired := strings.Contains(c.rest, "paired")
		if c.country != "" && c.country != "BR" || c.cdn != "" && c.cdn != "cdn-b" && !paired {
			t.Errorf("moved: %+v", c)
		}
	}
}

func checkSame(t *testing.T, before, after data.Frames) {
	t.Helper()
	if moved := differ(cells(before), cells(after)); len(moved) > 0 {
		t.Errorf("moved elsewhere: %+v", moved)
	}
}

// load reads the committed dashboards.
func load(t *testing.T) []dashboard {
	t.Helper()
	names, err := filepath.Glob("json/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d dashboards, %v", len(names), err)
	}
	list := make([]dashboard, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &list[i]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list[i].text = string(text)
	}
	return list
}
