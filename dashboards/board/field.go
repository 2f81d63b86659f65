package board

// Field says how one field of the answer, a column of a table or a measure of
// series, is shown.
type Field struct {
	Name     string // in the answer
	Title    string // shown; empty: the name
	Unit     string // where it differs from the measure's own
	Width    int    // of a table's column, in px
	Color    string // of series: a fixed colour
	Fill     *Scale // of a table's cells: coloured by value
	Decimals int
	None     string // shown where there is no value; empty: [NoValue]
	Links    []Link
	Hidden   bool // of a table
}

// override is f as Grafana's override of a field's config.
func (f Field) override() object {
	var props []object
	set := func(id string, value any) { props = append(props, object{"id": id, "value": value}) }
	if f.Title != "" {
		set("displayName", f.Title)
	}
	if f.Unit != "" {
		set("unit", f.Unit)
	}
	if f.Width > 0 {
		set("custom.width", f.Width)
	}
	if f.Decimals > 0 {
		set("decimals", f.Decimals)
	}
	if f.Color != "" {
		set("color", object{"mode": "fixed", "fixedColor": f.Color})
	}
	if f.Fill != nil {
		set("color", object{"mode": "thresholds"})
		set("thresholds", f.Fill.json())
		set("custom.displayMode", "color-background-solid")
	}
	if len(f.Links) > 0 {
		set("links", fromValues(f.Links))
	}
	if f.None != "" {
		set("mappings", none(f.None))
	}
	if f.Hidden {
		set("custom.hidden", true)
	}
	return object{"matcher": object{"id": "byName", "options": f.Name}, "properties": props}
}

// none maps what is not there to a word in grey: a scale's base colour would
// call it good or bad.
func none(text string) []any {
	return []any{object{"type": "special", "options": object{"match": "null", "result": object{"text": text, "color": Unknown, "index": 0}}}}
}
