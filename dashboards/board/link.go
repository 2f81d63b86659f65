package board

import "strings"

// Link leads to another dashboard, and takes the time range and the values of
// variables along.
type Link struct {
	Title string
	UID   string   // of the dashboard
	Keep  []string // variables that keep their values; those above the panels keep all

	// Set are variables that get the value of a field of the row that was
	// clicked: the variable's name to the field's.
	Set []Set
}

// Set gives a variable a field's value; the empty Field is the value that was
// clicked.
type Set struct{ Variable, Field string }

// url is where a link from a value leads.
func (l Link) url() string {
	args := []string{"${__url_time_range}", "${" + SourceVariable + ":queryparam}"}
	for _, s := range l.Set {
		from := "${__value.raw}"
		if s.Field != "" {
			from = "${__data.fields." + s.Field + "}"
		}
		args = append(args, "var-"+s.Variable+"="+from)
	}
	for _, name := range l.Keep {
		args = append(args, "${"+name+":queryparam}")
	}
	return "/d/" + l.UID + "?" + strings.Join(args, "&")
}

// fromValues are links as field configs have them.
func fromValues(links []Link) []object {
	list := make([]object, len(links))
	for i, l := range links {
		list[i] = object{"title": l.Title, "url": l.url(), "targetBlank": false}
	}
	return list
}

// shownAbove are links as dashboards have them.
func shownAbove(links []Link) []object {
	list := make([]object, len(links))
	for i, l := range links {
		list[i] = object{
			"type": "link", "title": l.Title, "url": "/d/" + l.UID, "icon": "dashboard", "tooltip": l.Title, "tags": []string{},
			"asDropdown": false, "targetBlank": false, "includeVars": true, "keepTime": true,
		}
	}
	return list
}
