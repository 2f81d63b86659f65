package dashboards_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/firstframe/firstframe/dashboards/internal/harness"
)

// provisioned is what the tests read of a provisioning file of rules.
type provisioned struct {
	APIVersion int `yaml:"apiVersion"`
	Groups     []struct {
		Name, Folder, Interval string
		Rules                  []rule
	}
}

type rule struct {
	UID, Title, Condition, For string
	NoDataState                string `yaml:"noDataState"`
	Labels, Annotations        map[string]string
	Data                       []struct {
		RefID  string                 `yaml:"refId"`
		Source string                 `yaml:"datasourceUid"`
		Range  struct{ From, To int } `yaml:"relativeTimeRange"`
		Model  map[string]any
	}
}

func loadRules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile("alerting/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc provisioned
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var list []rule
	for _, g := range doc.Groups {
		if doc.APIVersion != 1 || g.Folder != "Firstframe" || g.Interval == "" {
			t.Errorf("group %s: version %d, folder %q, interval %q", g.Name, doc.APIVersion, g.Folder, g.Interval)
		}
		list = append(list, g.Rules...)
	}
	return list
}

func TestRules(t *testing.T) {
	uids, titles := map[string]bool{}, map[string]bool{}
	pages := map[string]bool{}
	for _, d := range load(t) {
		pages[d.UID] = true
	}
	for _, r := range loadRules(t) {
		if uids[r.UID] || titles[r.Title] || r.UID == "" || len(r.UID) > 40 {
			t.Errorf("%s: uid %q", r.Title, r.UID)
		}
		uids[r.UID], titles[r.Title] = true, true
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", r.Title, s)
		}
		for _, v := range r.Labels {
			if strings.Contains(v, "$") {
				t.Errorf("%s: Grafana replaces %q by an environment variable", r.Title, v)
			}
		}
		for name, text := range r.Annotations {
			if strings.Contains(text, "$$") {
				t.Errorf("%s: Grafana does not halve the dollars of %s: %s", r.Title, name, text)
			}
		}
		book, _ := strings.CutPrefix(r.Annotations["runbook_url"], "https://github.com/firstframe/firstframe/blob/main/dashboards/runbooks/")
		if _, err := os.Stat(filepath.Join("runbooks", book)); err != nil || book == "" {
			t.Errorf("%s: runbook %q", r.Title, r.Annotations["runbook_url"])
		}
		page, _, _ := strings.Cut(strings.TrimPrefix(r.Annotations["dashboard"], "{{ externalURL }}d/"), "?")
		if !pages[page] {
			t.Errorf("%s leads to %q", r.Title, r.Annotations["dashboard"])
		}
		if r.NoDataState != "OK" || r.For == "" || r.Data[len(r.Data)-1].RefID != r.Condition {
			t.Errorf("%s: %+v", r.Title, r)
		}
	}
}

// firing are the alerts of a world: the rule's title and the slice, with the
// text that a person gets.
func firing(t *testing.T, p page) map[string]string {
	t.Helper()
	alerts := map[string]string{}
	for _, r := range loadRules(t) {
		answers := map[string]numbers{}
		for _, d := range r.Data {
			if d.Source == "__expr__" {
				n, err := evaluate(d.Model["expression"].(string), answers)
				if err != nil {
					t.Fatalf("%s, %s: %v", r.Title, d.RefID, err)
				}
				answers[d.RefID] = n
				continue
			}
			if d.Source != "firstframe" {
				t.Errorf("%s asks %s", r.Title, d.Source)
			}
			before := func(seconds int) time.Time { return end.Add(-time.Duration(seconds) * time.Second) }
			got := p.plugin.Ask(t, p.source, harness.Query{JSON: interpolate(t, d.Model, nil), From: before(d.Range.From), To: before(d.Range.To), Interval: time.Second, Points: 43200})["A"]
			if got.Error != nil || len(got.Frames) != 1 {
				t.Fatalf("%s, %s: %v, %d frames", r.Title, d.RefID, got.Error, len(got.Frames))
			}
			answers[d.RefID] = table(t, got.Frames[0])
		}
		for _, n := range answers[r.Condition] {
			if math.IsNaN(n.value) {
				t.Errorf("%s %v: NaN, which fires", r.Title, n.labels)
			}
			if n.value != 0 && !math.IsNaN(n.value) {
				alerts[strings.TrimSpace(r.Title+" "+strings.TrimSuffix(n.labels.String(), " "))] = expand(t, r.Annotations["summary"], n.labels, answers)
			}
		}
	}
	return alerts
}

// number is a value of one slice, as Grafana's expressions have it.
type number struct {
	labels data.Labels
	value  float64
}

type numbers []number

// table reads the one kind of table that Grafana's expressions take: one
// number a row, labelled by its texts; null is NaN.
func table(t *testing.T, frame *data.Frame) numbers {
	t.Helper()
	var list numbers
	for i := range frame.Rows() {
		n := number{labels: data.Labels{}, value: math.NaN()}
		values := 0
		for _, f := range frame.Fields {
			v, ok := f.ConcreteAt(i)
			switch {
			case f.Type() == data.FieldTypeNullableString:
				n.labels[f.Name], _ = v.(string)
			case f.Type() == data.FieldTypeNullableFloat64:
				values++
				if ok {
					n.value = v.(float64)
				}
			default:
				t.Fatalf("field %s of type %s", f.Name, f.Type())
			}
		}
		if values != 1 {
			t.Fatalf("%d numbers a row", values)
		}
		list = append(list, n)
	}
	return list
}

// evaluate computes an expression of Grafana's, whose grammar for what is used
// here is Go's, by the rules of its server: values meet where labels are equal
// or one's are among the other's; && and || look at their left side first; NaN
// makes everything else NaN.
func evaluate(text string, answers map[string]numbers) (numbers, error) {
	e, err := parser.ParseExpr(strings.ReplaceAll(text, "$", ""))
	if err != nil {
		return nil, err
	}
	return walk(e, answers)
}

func walk(e ast.Expr, answers map[string]numbers) (numbers, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return walk(e.X, answers)
	case *ast.BasicLit:
		v, err := strconv.ParseFloat(e.Value, 64)
		return numbers{{nil, v}}, err
	case *ast.Ident:
		n, ok := answers[e.Name]
		if !ok {
			return nil, fmt.Errorf("no answer %s", e.Name)
		}
		return n, nil
	case *ast.CallExpr:
		f, ok := e.Fun.(*ast.Ident)
		of, also := e.Args[0].(*ast.Ident)
		if !ok || !also || f.Name != "is_number" || len(e.Args) != 1 {
			return nil, fmt.Errorf("function %v", e.Fun)
		}
		n, err := walk(of, answers)
		if len(n) == 0 && answers[of.Name] == nil {
			return nil, fmt.Errorf("is_number of %s, which has no rows: Grafana 9.4 panics", of.Name)
		}
		n = slices.Clone(n)
		for i := range n {
			n[i].value = truth(!math.IsNaN(n[i].value))
		}
		return n, err
	case *ast.BinaryExpr:
		a, err := walk(e.X, answers)
		if err != nil {
			return nil, err
		}
		b, err := walk(e.Y, answers)
		return join(e.Op, a, b), err
	}
	return nil, fmt.Errorf("expression %T", e)
}

func join(op token.Token, as, bs numbers) numbers {
	list := numbers{} // not nil, which is a query's answer without rows
	for _, a := range as {
		for _, b := range bs {
			switch {
			case a.labels.Contains(b.labels):
				list = append(list, number{a.labels, compute(op, a.value, b.value)})
			case b.labels.Contains(a.labels):
				list = append(list, number{b.labels, compute(op, a.value, b.value)})
			}
		}
	}
	return list
}

func compute(op token.Token, a, b float64) float64 {
	switch {
	case op == token.LOR && a != 0 && !math.IsNaN(a):
		return 1
	case op == token.LAND && a == 0:
		return 0
	case math.IsNaN(a) || math.IsNaN(b):
		return math.NaN()
	}
	switch op {
	case token.ADD:
		return a + b
	case token.SUB:
		return a - b
	case token.MUL:
		return a * b
	case token.QUO:
		return a / b
	case token.GTR:
		return truth(a > b)
	case token.GEQ:
		return truth(a >= b)
	case token.LSS:
		return truth(a < b)
	case token.EQL:
		return truth(a == b)
	case token.LAND:
		return truth(b != 0)
	case token.LOR:
		return truth(b != 0)
	}
	panic("operator " + op.String())
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// expand fills in an annotation, as Grafana does: $labels, and in $values the
// numbers of that slice.
func expand(t *testing.T, text string, labels data.Labels, answers map[string]numbers) string {
	t.Helper()
	type captured struct{ Value float64 }
	values := map[string]captured{}
	for ref, list := range answers {
		for _, n := range list {
			if labels.Contains(n.labels) {
				values[ref] = captured{n.value}
			}
		}
	}
	tmpl, err := template.New("").Funcs(template.FuncMap{
		"humanizePercentage": func(v float64) string { return fmt.Sprintf("%.4g%%", v*100) },
		"humanizeDuration":   func(v float64) string { return (time.Duration(v) * time.Second).String() },
	}).Option("missingkey=error").Parse("{{ $labels := .Labels }}{{ $values := .Values }}" + text)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, map[string]any{"Labels": labels, "Values": values}); err != nil {
		t.Error(err)
	}
	return b.String()
}

// burning are the rules of burn rates of a slice.
func burning(slice, labels string) []string {
	var list []string
	for _, name := range []string{"FastBurn %s 1h%s", "FastBurn %s 6h%s", "SlowBurn %s 1d%s", "SlowBurn %s 3d%s"} {
		list = append(list, "Firstframe"+fmt.Sprintf(name, slice, labels))
	}
	return list
}

// testAlerts wants the alerts of each world, no others, and their texts.
func testAlerts(t *testing.T, worlds map[string]page) {
	const brazil, us = " cdn=cdn-b, country=BR", " cdn=cdn-a, country=US"
	var everywhere []string
	for _, country := range countries {
		for _, cdn := range cdns {
			everywhere = append(everywhere, burning("country_cdn", " cdn="+cdn+", country="+country)...)
		}
	}
	for _, c := range []struct {
		world string
		want  []string
		texts map[string]string
	}{
		{"healthy", nil, nil},
		{"nobody", nil, nil},
		{"brazil", slices.Concat(burning("country_cdn", brazil), burning("fleet", ""), []string{"FirstframeRegionalDegradation" + brazil}),
			map[string]string{
				"FirstframeFastBurn country_cdn 1h" + brazil: "BR through cdn-b: 160 of 472 runs bad in 1h (33.9%), seen by 4 agents; the error budget burns 339.0 times as fast as it may",
				"FirstframeRegionalDegradation" + brazil:     "BR through cdn-b: 160 of 240 runs bad in 30m (66.67%), seen by 4 agents; the other CDNs there: 0%; the day before: 0%",
				"FirstframeFastBurn fleet 1h":                "Everywhere: 160 of 5664 runs bad in 1h (2.825%), seen by 4 agents; the error budget burns 28.2 times as fast as it may",
			}},
		// One bad agent in FR, and two in GB whose control targets failed, are no
		// alert; the US have too short a past to be compared with.
		{"ill", slices.Concat(burning("country_cdn", us), burning("fleet", ""), []string{
			"FirstframeCountrySilent country=JP", "FirstframeAgentSilent agent=DE-2, country=DE", "FirstframeCertificateEnds 14d cdn=cdn-c, target=news",
			"FirstframeStalePlaylist cdn=cdn-c, target=news", "FirstframeStalePlaylist failed cdn=cdn-a, target=news"}),
			map[string]string{
				"FirstframeCountrySilent country=JP":                    "JP: no run for 30m55s of the 2 agents that sent 624 runs in the last 24h; nothing is known about playback there",
				"FirstframeAgentSilent agent=DE-2, country=DE":          "Agent DE-2 in DE: no run for 30m55s, after 312 in the last 24h; other agents there send",
				"FirstframeCertificateEnds 14d cdn=cdn-c, target=news":  "cdn-c: the first certificate of target news ends in 240h0m0s, as edges showed 16 agents",
				"FirstframeStalePlaylist cdn=cdn-c, target=news":        "Target news through cdn-c: the live playlist's last segment ended 45s ago, in half of 220 runs of 11 agents",
				"FirstframeStalePlaylist failed cdn=cdn-a, target=news": "Target news through cdn-a: 40 of 220 runs failed in 10m because the live playlist stands still, seen by 2 agents",
			}},
		{"recalled", slices.Concat(everywhere, burning("fleet", ""), burning("app_version", " app_version=4.2.0")), map[string]string{
			"FirstframeFastBurn app_version 1h app_version=4.2.0": "App version 4.2.0: 960 of 2832 runs bad in 1h (33.9%), seen by 16 agents; " +
				"the error budget burns 339.0 times as fast as it may, which is more than three times as bad as the other versions",
		}},
	} {
		t.Run(c.world, func(t *testing.T) {
			got := firing(t, worlds[c.world])
			slices.Sort(c.want)
			if d := cmp.Diff(c.want, slices.Sorted(maps.Keys(got))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			for name, want := range c.texts {
				if got[name] != want {
					t.Errorf("%s says\n%q, want\n%q", name, got[name], want)
				}
			}
		})
	}
}
