package dashboards_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what the tests read of Grafana's JSON.
type dashboard struct {
	UID, Title, Description string
	SchemaVersion           int
	Time                    struct{ From string }
	Refresh                 string
	Links                   []link
	Templating              struct{ List []variable }
	Panels                  []panel

	text string
}

type variable struct {
	Name, Type string
	Multi      bool
	IncludeAll bool
	Datasource source
	Query      any
}

type source struct{ Type, UID string }

type link struct {
	Title, URL           string
	IncludeVars, KeepVia bool
	KeepTime             bool
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	TimeFrom, Interval       string
	MaxDataPoints            int64
	Datasource               source
	Targets                  []map[string]any
	Options                  map[string]any
	FieldConfig              struct {
		Defaults  config
		Overrides []struct {
			Matcher    struct{ ID, Options string }
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
}

type config struct {
	Unit, NoValue string
	Thresholds    struct{ Steps []any }
}

var fieldOf = regexp.MustCompile(`\$\{__data\.fields\.(\w+)\}`)

// names are the fields that the panel's config speaks of: overrides, links from
// values, and a map's layers.
func (p *panel) names() []string {
	var list []string
	for _, o := range p.FieldConfig.Overrides {
		list = append(list, o.Matcher.Options)
		for _, prop := range o.Properties {
			if links, ok := prop.Value.([]any); ok && prop.ID == "links" {
				for _, l := range links {
					for _, m := range fieldOf.FindAllStringSubmatch(l.(map[string]any)["url"].(string), -1) {
						list = append(list, m[1])
					}
				}
			}
		}
	}
	layers, _ := p.Options["layers"].([]any)
	for _, l := range layers {
		layer := l.(map[string]any)
		list = append(list, layer["location"].(map[string]any)["lookup"].(string))
		style := layer["config"].(map[string]any)["style"].(map[string]any)
		for _, key := range []string{"color", "size", "text"} {
			list = append(list, style[key].(map[string]any)["field"].(string))
		}
	}
	return list
}

// measures are what the panel asks for.
func (p *panel) measures() []string {
	var list []string
	asked, _ := p.Targets[0]["measures"].([]any)
	for _, m := range asked {
		list = append(list, m.(string))
	}
	return list
}

func TestDashboards(t *testing.T) {
	list := load(t)
	uids := map[string]*dashboard{}
	for i := range list {
		d := &list[i]
		if uids[d.UID] != nil || d.UID == "" || len(d.UID) > 40 {
			t.Errorf("%s: uid %q", d.Title, d.UID)
		}
		uids[d.UID] = d
	}
	for i := range list {
		d := &list[i]
		t.Run(d.Title, func(t *testing.T) {
			if d.Description == "" || d.SchemaVersion != 37 {
				t.Errorf("description %q, schema %d", d.Description, d.SchemaVersion)
			}
			checkSources(t, d)
			checkGrid(t, d)
			checkLinks(t, d, uids)
			titles := map[string]bool{}
			for _, p := range d.Panels {
				if titles[p.Title] {
					t.Errorf("two panels are called %q", p.Title)
				}
				titles[p.Title] = true
				if p.Type == "row" {
					continue
				}
				c := p.FieldConfig.Defaults
				if p.Title == "" || p.Description == "" || c.Unit == "" || c.NoValue == "" || len(c.Thresholds.Steps) == 0 || len(p.Targets) != 1 {
					t.Errorf("panel %d %q lacks something: description %q, unit %q, %+v, %d queries", p.ID, p.Title, p.Description, c.Unit, c, len(p.Targets))
				}
			}
		})
	}
	if d := uids["firstframe-now"]; d == nil || d.Panels[len(d.Panels)-1].GridPos.Y < 18 {
		t.Error("Playback now is not there, or is short")
	}
}

// checkSources wants no data source but the one that the reader chooses.
func checkSources(t *testing.T, d *dashboard) {
	t.Helper()
	const uid = "${datasource}"
	if v := d.Templating.List[0]; v.Name != "datasource" || v.Type != "datasource" || v.Query != "firstframe-datasource" {
		t.Errorf("the first variable is %+v", v)
	}
	if n := strings.Count(d.text, `"uid": "`); n != strings.Count(d.text, `"uid": "`+uid+`"`)+1 { // the dashboard's own
		t.Errorf("%d uids, of which one is a fixed data source's", n)
	}
	for _, v := range d.Templating.List[1:] {
		if v.Type == "query" && (v.Datasource.UID != uid || v.Query.(map[string]any)["dim"] == "") {
			t.Errorf("variable %+v", v)
		}
	}
	for _, p := range d.Panels {
		if p.Type != "row" && (p.Datasource.UID != uid || p.Targets[0]["datasource"].(map[string]any)["uid"] != uid || p.Targets[0]["refId"] != "A") {
			t.Errorf("panel %q: %+v", p.Title, p.Targets[0])
		}
	}
}

// checkGrid wants each panel in a place of its own, and ids once.
func checkGrid(t *testing.T, d *dashboard) {
	t.Helper()
	taken := map[[2]int]string{}
	var ids []int
	for _, p := range d.Panels {
		g := p.GridPos
		if g.X < 0 || g.W <= 0 || g.X+g.W > 24 || g.H <= 0 || slices.Contains(ids, p.ID) {
			t.Errorf("panel %d %q at %+v", p.ID, p.Title, g)
		}
		ids = append(ids, p.ID)
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

var address = regexp.MustCompile(`"url": "(/d/([\w-]+)(\?[^"]*)?)"`)
var setting = regexp.MustCompile(`var-(\w+)=|\$\{(\w+):queryparam\}`)

// checkLinks wants every link to lead to a dashboard, to set variables that it
// has, and to take time and data source along.
func checkLinks(t *testing.T, d *dashboard, uids map[string]*dashboard) {
	t.Helper()
	for _, l := range d.Links {
		if !l.IncludeVars || !l.KeepTime {
			t.Errorf("%s does not keep variables and time", l.Title)
		}
	}
	found := address.FindAllStringSubmatch(d.text, -1)
	if len(found) < len(uids) || strings.Count(d.text, `"url"`) != len(found) {
		t.Errorf("%d links that can be read of %d", len(found), strings.Count(d.text, `"url"`))
	}
	for _, m := range found {
		to := uids[m[2]]
		if to == nil {
			t.Errorf("%s leads nowhere", m[1])
			continue
		}
		if m[3] == "" {
			continue // above the panels
		}
		if !strings.Contains(m[3], "${__url_time_range}") || !strings.Contains(m[3], "${datasource:queryparam}") {
			t.Errorf("%s keeps neither time nor source", m[1])
		}
		for _, s := range setting.FindAllStringSubmatch(m[3], -1) {
			name := s[1] + s[2]
			if !slices.ContainsFunc(to.Templating.List, func(v variable) bool { return v.Name == name }) {
				t.Errorf("%s sets %s, which %s does not have", m[1], name, to.Title)
			}
		}
	}
}
