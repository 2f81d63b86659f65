package board

import "slices"

// plain is what most views have none of.
type plain struct{}

func (plain) custom() map[string]any     { return object{} }
func (plain) colorMode() string          { return "thresholds" }
func (plain) mappings() []any            { return none(NoValue) }
func (plain) fit(fields []Field) []Field { return fields }

// gaps is of views in which what is not there is a gap.
type gaps struct{ plain }

func (gaps) mappings() []any { return []any{} }

// Stat shows single numbers, large.
type Stat struct{ plain }

func (Stat) kind() string { return "stat" }
func (Stat) options() any {
	return object{
		"colorMode": "background", "graphMode": "none", "justifyMode": "center", "textMode": "auto", "orientation": "vertical",
		"reduceOptions": object{"values": false, "calcs": []string{"lastNotNull"}, "fields": ""}, "text": object{},
	}
}

// Bars shows the measures of one row, or one measure of several, as bars.
type Bars struct {
	plain
	Rows bool // a bar for each row, not for each measure
}

func (Bars) kind() string { return "bargauge" }
func (b Bars) options() any {
	return object{
		"displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "minVizWidth": 0, "minVizHeight": 10,
		"valueMode": "color", "reduceOptions": object{"values": b.Rows, "calcs": []string{"lastNotNull"}, "fields": ""}, "text": object{},
	}
}

// Series draws an answer with a step over time. What is null is a gap.
type Series struct {
	gaps
	Stacked bool // on top of each other, as areas
	Columns bool // as columns, for counts
	Limits  bool // draws the scale's steps as lines
}

func (Series) kind() string { return "timeseries" }
func (Series) options() any {
	return object{
		"legend":  object{"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": []string{}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
}

func (Series) colorMode() string { return "palette-classic" }

func (s Series) custom() map[string]any {
	style, fill, stack, limits := "line", 0, "none", "off"
	if s.Columns {
		style, fill = "bars", 80
	}
	if s.Stacked {
		stack, fill = "normal", 80
	}
	if s.Limits {
		limits = "dashed"
	}
	return object{
		"drawStyle": style, "lineInterpolation": "linear", "lineWidth": 2, "fillOpacity": fill, "gradientMode": "none",
		"spanNulls": false, "showPoints": "auto", "pointSize": 5, "stacking": object{"mode": stack, "group": "A"},
		"thresholdsStyle": object{"mode": limits}, "axisPlacement": "auto", "axisLabel": "", "axisSoftMin": 0,
		"scaleDistribution": object{"type": "linear"}, "hideFrom": object{"legend": false, "tooltip": false, "viz": false},
	}
}

// History draws an answer with a step as a line of cells for each series,
// coloured by the scale. What is null is no cell.
type History struct{ gaps }

func (History) kind() string { return "status-history" }
func (History) options() any {
	return object{
		"showValue": "never", "rowHeight": 0.9, "colWidth": 0.95,
		"legend":  object{"showLegend": false, "displayMode": "list", "placement": "bottom"},
		"tooltip": object{"mode": "single", "sort": "none"},
	}
}

func (History) custom() map[string]any {
	return object{"lineWidth": 0, "fillOpacity": 90, "hideFrom": object{"legend": false, "tooltip": false, "viz": false}}
}

// Table shows an answer without a step, in the order that the query asks for.
type Table struct{ plain }

func (Table) kind() string { return "table" }
func (Table) options() any {
	return object{
		"showHeader": true, "cellHeight": "sm", "frameIndex": 0,
		"footer": object{"show": false, "reducer": []string{"sum"}, "fields": "", "countRows": false},
	}
}

func (Table) custom() map[string]any {
	return object{"align": "auto", "displayMode": "auto", "inspect": false, "filterable": false, "minWidth": 50}
}

// fit gives the first column what the others leave, where none would take it.
func (Table) fit(fields []Field) []Field {
	if len(fields) == 0 || slices.ContainsFunc(fields, func(f Field) bool { return f.Width == 0 && !f.Hidden }) {
		return fields
	}
	fields = slices.Clone(fields)
	fields[0].Width = 0
	return fields
}

// Trace draws a run and its steps as a waterfall.
type Trace struct{ plain }

func (Trace) kind() string { return "traces" }
func (Trace) options() any { return object{} }

// Map puts each row of a table on a map of the world, by the country code in
// the field Key: coloured by the field Color, the larger the higher the field
// Size. It needs nothing from the internet: borders and places come with
// Grafana, whose own paths are taken, since they differ by version.
type Map struct {
	plain
	Key, Color, Size string
}

func (Map) kind() string { return "geomap" }
func (m Map) options() any {
	marker := object{"mode": "fixed", "fixed": "img/icons/marker/circle.svg"}
	text := object{"fontSize": 12, "textAlign": "center", "textBaseline": "middle", "offsetX": 0, "offsetY": 0}
	borders := object{
		"type": "geojson", "name": "Countries", "tooltip": false,
		"config": object{"rules": []any{}, "style": object{
			"color": object{"fixed": "#8e8e8e"}, "opacity": 0.3, "lineWidth": 1, "size": object{"fixed": 3, "min": 2, "max": 15},
			"symbol": marker, "textConfig": text,
		}},
	}
	values := object{
		"type": "markers", "name": "Values", "tooltip": true,
		"location": object{"mode": "lookup", "lookup": m.Key},
		"config": object{"showLegend": false, "style": object{
			"color": object{"field": m.Color, "fixed": Neutral}, "opacity": 0.9, "lineWidth": 1,
			"size":   object{"field": m.Size, "fixed": 8, "min": 6, "max": 14},
			"symbol": marker, "rotation": object{"fixed": 0, "min": -360, "max": 360, "mode": "mod"},
			"text":       object{"mode": "field", "field": m.Key, "fixed": ""},
			"textConfig": object{"fontSize": 12, "textAlign": "left", "textBaseline": "middle", "offsetX": 15, "offsetY": 0},
		}},
	}
	return object{
		"basemap": borders, "layers": []object{values},
		"view":     object{"id": "coords", "lat": 25, "lon": 10, "zoom": 0.95, "allLayers": true},
		"controls": object{"showZoom": true, "mouseWheelZoom": false, "showAttribution": false, "showScale": false, "showMeasure": false, "showDebug": false},
		"tooltip":  object{"mode": "details"},
	}
}

func (Map) custom() map[string]any {
	return object{"hideFrom": object{"legend": false, "tooltip": false, "viz": false}}
}
