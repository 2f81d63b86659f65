package alerting

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/boards"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

const day = 24 * time.Hour

// leastAgents is how many agents must have seen what an alert says: what one
// alone sees may be its own fault.
const leastAgents = 2

// slice is what burn rates are watched by.
type slice struct {
	name string // the label slice
	dims []string
	text string // of the summary: what the slice is
}

// country tells a country in a summary, which may be unknown.
const country = `{{ or $labels.country "unknown country" }}`

var (
	countryCDN = slice{"country_cdn", []string{"country", "cdn"}, country + ` through {{ or $labels.cdn "an unknown CDN" }}`}
	appVersion = slice{"app_version", []string{"app_version"}, `App version {{ or $labels.app_version "unknown" }}`}
	everything = slice{"fleet", nil, `Everywhere`}
)

// burn is the windows and rates of the SRE Workbook, chapter 5, for 28 days:
// both windows must exceed the rate.
type burn struct {
	alert       string
	long, short time.Duration
	rate        float64
	leastBad    int // bad runs in the long window, however few runs there are
	severity    string
	runbook     string
	hold        time.Duration
}

var burns = []burn{
	{"FirstframeFastBurn", time.Hour, 5 * time.Minute, 13.44, 5, Page, "fast-burn.md", 2 * time.Minute},
	{"FirstframeFastBurn", 6 * time.Hour, 30 * time.Minute, 5.6, 5, Page, "fast-burn.md", 2 * time.Minute},
	{"FirstframeSlowBurn", day, 2 * time.Hour, 2.8, 10, Ticket, "slow-burn.md", 15 * time.Minute},
	{"FirstframeSlowBurn", 3 * day, 6 * time.Hour, 0.933, 10, Ticket, "slow-burn.md", 15 * time.Minute},
}

// burnRules are the rules of a severity, for each of the slices.
func burnRules(severity string) []Rule {
	var rules []Rule
	for _, b := range burns {
		for _, s := range []slice{countryCDN, appVersion, everything} {
			if b.severity == severity {
				rules = append(rules, b.rule(s))
			}
		}
	}
	return rules
}

// rule watches the burn rate of each slice.
func (b burn) rule(s slice) Rule {
	window := short(b.long)
	bad := voting(query.Cond{Dim: "good", Op: query.Eq, Values: []string{"false"}})
	r := Rule{
		UID:      strings.ToLower(fmt.Sprintf("%s-%s-%s", b.alert, strings.ReplaceAll(s.name, "_", "-"), window)),
		Title:    fmt.Sprintf("%s %s %s", b.alert, s.name, window),
		Severity: b.severity, For: b.hold, Runbook: b.runbook,
		Labels: map[string]string{"rule": b.alert, "slice": s.name, "window": window},
		Asks: []Ask{
			ask("A", b.long, "burn_rate", s.dims, voting()),
			ask("B", b.short, "burn_rate", s.dims, voting()),
			ask("C", b.long, "bad", s.dims, voting()),
			ask("D", b.long, "runs", s.dims, voting()),
			ask("E", b.long, "agents", s.dims, bad),
		},
		Values: []Expression{{"S", "$C / $D"}},
		When:   fmt.Sprintf("$D > 0 && $C >= %d && $E >= %d && $A > %g && $B > %g", b.leastBad, leastAgents, b.rate, b.rate),
		Summary: s.text + `: {{ printf "%.0f" $values.C.Value }} of {{ printf "%.0f" $values.D.Value }} runs bad in ` + window +
			` ({{ humanizePercentage $values.S.Value }}), seen by {{ printf "%.0f" $values.E.Value }} agents; the error budget burns ` +
			`{{ printf "%.1f" $values.A.Value }} times as fast as it may`,
		Open: open(boards.UIDNow, s.dims...),
	}
	switch s.name {
	case appVersion.name:
		// One broken CDN makes every version look worse: a version is named
		// only when it is three times as bad as the others. There must be
		// others: alone, 0 > 0 is false.
		r.Asks = append(r.Asks, ask("F", b.long, "bad", nil, voting()), ask("G", b.long, "runs", nil, voting()))
		r.When += " && $C * ($G - $D) > 3 * ($F - $C) * $D"
		r.Summary += `, which is more than three times as bad as the other versions`
	case everything.name:
		r.For *= 2 // what one slice does alone has been told by then
		// Without group_by there is a row of no runs too, in which all but
		// their number is unknown.
		r.When = strings.Replace(r.When, "$A", "is_number($B) && $A", 1)
	}
	return r
}

// voting are the conditions on runs that count: those of agents whose own
// control targets did not fail.
func voting(more ...query.Cond) []query.Cond {
	return append([]query.Cond{{Dim: "control_ok", Op: query.Ne, Values: []string{"false"}}}, more...)
}

// ask asks for one measure of the time from so long ago until now.
func ask(ref string, from time.Duration, measure string, by []string, where []query.Cond) Ask {
	return Ask{Ref: ref, From: from, Query: model.Query{Measures: []string{measure}, GroupBy: by, Where: where, Limit: query.MaxLimit}}
}

// open is a dashboard's address with the labels as its variables.
func open(uid string, labels ...string) string {
	args := make([]string, len(labels))
	for i, l := range labels {
		args[i] = "var-" + url.QueryEscape(l) + "={{ $labels." + l + " }}"
	}
	return strings.TrimSuffix(uid+"?"+strings.Join(args, "&"), "?")
}
