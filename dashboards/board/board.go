// Package board builds dashboards from typed values and writes them as the
// JSON that Grafana 9.4 to 13 read.
//
// A [Dashboard] has [Row]s of [Panel]s; each panel asks one question, as the
// data source's editor saves it, and has one [View] that draws the answer.
// [Dashboard.JSON] lays them out. Written is schema version 37, that of 9.4,
// from which newer versions migrate by themselves.
//
// No data source is named: every query goes to the one chosen by the variable
// [SourceVariable]. What is common to all panels is decided here: a value that
// is not there says so in words, a gap in a series stays a gap, and colours are
// told apart by the colour-blind.
package board

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// Columns is the width of Grafana's grid. A unit of height is 38 px.
const Columns = 24

// NoValue is shown where there is nothing to show.
const NoValue = "no data"

const (
	sourceType    = "firstframe-datasource"
	schemaVersion = 37

	leastStep  = "1m" // of series: with less, most buckets would be without runs
	mostPoints = 120  // of a series: more cannot be told apart in a panel's half
)

// Dashboard is a page of panels.
type Dashboard struct {
	UID         string // also its address: /d/UID
	Title       string
	Description string
	From        string // of the time range that it opens with, such as now-1h
	Refresh     string // how often it asks again by itself; empty: never
	Variables   []Variable
	Links       []Link // shown above the panels
	Rows        []Row
}

// Row is panels side by side.
type Row struct {
	Title  string // of a heading above it; empty: none
	Height int    // in units of the grid
	Panels []Panel
}

// Panel is one question and how its answer is drawn.
type Panel struct {
	Title       string
	Description string // what it shows, and how to read it
	Unit        string // Grafana's, of the values whose measure says none
	Width       int    // in columns of the grid
	Query       model.Query
	View        View

	// Span asks for so long a time until now, such as 28d, whatever the
	// dashboard's range; empty means that range. The title has to say it.
	Span string

	Scale    Scale   // colours by value; the zero Scale has none
	Decimals int     // shown; 0: as many as the value needs
	Fields   []Field // how single fields of the answer are shown
	Links    []Link  // from values
}

// View draws a panel.
type View interface {
	kind() string           // the panel plugin's id
	options() any           // the panel plugin's options
	custom() map[string]any // the panel plugin's part of each field's config

	colorMode() string // how values get their colours
	mappings() []any   // of values to words

	fit(fields []Field) []Field // the fields as they fill the panel
}

type object = map[string]any

// JSON is d as Grafana's file provisioning and import read it, with a newline
// at the end.
func (d *Dashboard) JSON() ([]byte, error) {
	doc := object{
		"uid": d.UID, "title": d.Title, "description": d.Description, "tags": []string{"firstframe"},
		"schemaVersion": schemaVersion, "version": 1, "editable": true, "graphTooltip": 1, "timezone": "utc",
		"time": object{"from": d.From, "to": "now"}, "refresh": d.Refresh, "style": "dark", "liveNow": false,
		"annotations": object{"list": []any{}}, "links": shownAbove(d.Links),
		"templating": object{"list": variables(d.Variables)},
	}
	panels, err := d.layOut()
	if err != nil {
		return nil, err
	}
	doc["panels"] = panels
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("board: %s: %w", d.UID, err)
	}
	return out.Bytes(), nil
}

// layOut numbers the panels and puts them side by side, row below row.
func (d *Dashboard) layOut() ([]object, error) {
	var panels []object
	y := 0
	add := func(p object, x, w, h int) {
		p["id"] = len(panels) + 1
		p["gridPos"] = object{"x": x, "y": y, "w": w, "h": h}
		panels = append(panels, p)
	}
	for _, row := range d.Rows {
		if row.Title != "" {
			add(object{"type": "row", "title": row.Title, "collapsed": false, "panels": []any{}}, 0, Columns, 1)
			y++
		}
		x := 0
		for i := range row.Panels {
			p := &row.Panels[i]
			if p.Width <= 0 || x+p.Width > Columns {
				return nil, fmt.Errorf("board: %s: panel %q does not fit: %d columns after %d of %d", d.UID, p.Title, p.Width, x, Columns)
			}
			made, err := p.json()
			if err != nil {
				return nil, fmt.Errorf("board: %s: panel %q: %w", d.UID, p.Title, err)
			}
			add(made, x, p.Width, row.Height)
			x += p.Width
		}
		y += row.Height
	}
	return panels, nil
}

func (p *Panel) json() (object, error) {
	target, err := Target(p.Query, "A", chosen)
	if err != nil {
		return nil, err
	}
	defaults := object{
		"unit": p.Unit, "noValue": NoValue, "mappings": p.View.mappings(), "color": object{"mode": p.View.colorMode()},
		"thresholds": p.Scale.json(), "custom": p.View.custom(),
	}
	if p.Decimals > 0 {
		defaults["decimals"] = p.Decimals
	}
	if len(p.Links) > 0 {
		defaults["links"] = fromValues(p.Links)
	}
	fields := p.View.fit(p.Fields)
	overrides := make([]object, len(fields))
	for i, f := range fields {
		overrides[i] = f.override()
	}
	made := object{
		"type": p.View.kind(), "title": p.Title, "description": p.Description, "datasource": sourceRef(chosen),
		"targets": []any{target}, "options": p.View.options(), "transformations": []any{},
		"fieldConfig": object{"defaults": defaults, "overrides": overrides},
	}
	if p.Query.Step == model.Auto {
		made["interval"], made["maxDataPoints"] = leastStep, mostPoints
	}
	if p.Span != "" {
		made["timeFrom"], made["hideTimeOverride"] = p.Span, true // the title says it, where Grafana would write over it
	}
	return made, nil
}

// chosen is the data source that the dashboard's reader has chosen.
const chosen = "${" + SourceVariable + "}"

func sourceRef(uid string) object { return object{"type": sourceType, "uid": uid} }

// Target is a query as the data source's editor saves it, with only the keys
// that say something: as the answer ref, asked of the data source uid.
func Target(q model.Query, ref, uid string) (map[string]any, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	var t object
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, err
	}
	for key, v := range t {
		if v == nil || v == "" || v == 0.0 {
			delete(t, key)
		}
		if n, ok := v.(float64); ok && n != 0 {
			t[key] = int(n) // there are only counts
		}
	}
	if q.QueryType == "" {
		t["queryType"] = model.Runs
	}
	t["refId"], t["datasource"] = ref, sourceRef(uid)
	return t, nil
}
