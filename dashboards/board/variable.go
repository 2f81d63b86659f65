package board

import "github.com/firstframe/firstframe/collector/query"

// SourceVariable is the variable that chooses the data source. Every
// dashboard has it.
const SourceVariable = "datasource"

// Variable is chosen by the reader and stands in queries as ${Name}.
type Variable struct {
	Name, Label string

	// Dim is the dimension whose values are offered, of the runs that match
	// Where. Empty means a text that the reader types.
	Dim   string
	Where []query.Cond

	// Single offers one value at a time, Default at first. Otherwise any
	// number may be chosen, all at first.
	Single  bool
	Default string

	Hidden bool // not shown: it only goes along with links
}

// variables puts the choice of the data source before vs.
func variables(vs []Variable) []object {
	list := []object{{
		"name": SourceVariable, "label": "Data source", "type": "datasource", "query": sourceType, "regex": "", "hide": 0,
		"multi": false, "includeAll": false, "refresh": 1, "skipUrlSync": false, "options": []any{}, "current": object{},
	}}
	for _, v := range vs {
		hide := 0
		if v.Hidden {
			hide = 2
		}
		if v.Dim == "" {
			list = append(list, object{
				"name": v.Name, "label": v.Label, "type": "textbox", "query": v.Default, "hide": hide, "skipUrlSync": false,
				"options": []any{object{"selected": true, "text": v.Default, "value": v.Default}},
				"current": object{"text": v.Default, "value": v.Default},
			})
			continue
		}
		asked := object{"dim": v.Dim, "refId": "values"}
		if len(v.Where) > 0 {
			asked["where"] = v.Where
		}
		current := object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}}
		if v.Single {
			current = object{"selected": true, "text": v.Default, "value": v.Default}
		}
		list = append(list, object{
			"name": v.Name, "label": v.Label, "type": "query", "datasource": sourceRef(chosen), "definition": v.Dim, "query": asked,
			"multi": !v.Single, "includeAll": !v.Single, "current": current, "options": []any{}, "regex": "", "hide": hide,
			"refresh":     1, // when the dashboard is opened: not with every refresh, which would double the queries
			"sort":        1, // by name
			"skipUrlSync": false,
		})
	}
	return list
}
