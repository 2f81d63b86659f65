package alerting

import (
	"fmt"
	"time"

	"github.com/firstframe/firstframe/collector/query"
	"github.com/firstframe/firstframe/dashboards/boards"
)

// Groups are the rules. Those over days are asked less often.
func Groups() []Group {
	return []Group{
		{"firstframe-burn", time.Minute, burnRules(Page)},
		{"firstframe-burn-slow", 5 * time.Minute, burnRules(Ticket)},
		{"firstframe-regions", time.Minute, []Rule{regional(), silentCountry()}},
		{"firstframe-fleet", time.Minute, []Rule{silentAgent()}},
		{"firstframe-streams", time.Minute, []Rule{stale(), staleFailed()}},
		{"firstframe-certificates", 10 * time.Minute, []Rule{
			certificate("FirstframeCertificateEnds 14d", 14*day, Ticket), certificate("FirstframeCertificateEnds 1d", day, Page)}},
	}
}

// regional is a CDN in a country that is worse than it was there in the day
// before the last hour, and worse than the other CDNs there are now: by 1 % of
// the runs and three times. Where one of the two is not known (100 and 20 runs
// at least) it keeps silent, and the burn rates speak.
//
// The past is asked for as a time range of its own: an answer with compare has
// two numbers a row, which Grafana's expressions do not take.
func regional() Rule {
	const now, past, gap = 30 * time.Minute, 25 * time.Hour, time.Hour
	slice, country := countryCDN.dims, countryCDN.dims[:1]
	before := func(ref, measure string) Ask {
		a := ask(ref, past, measure, slice, voting())
		a.To = gap
		return a
	}
	return Rule{
		UID: "firstframeregionaldegradation", Title: "FirstframeRegionalDegradation", Severity: Page, For: 2 * time.Minute, Runbook: "regional-degradation.md",
		Labels: map[string]string{"rule": "FirstframeRegionalDegradation", "slice": countryCDN.name},
		Asks: []Ask{
			ask("A", now, "bad", slice, voting()), ask("B", now, "runs", slice, voting()),
			ask("C", now, "bad", country, voting()), ask("D", now, "runs", country, voting()),
			before("E", "bad"), before("F", "runs"),
			ask("G", now, "agents", slice, voting(query.Cond{Dim: "good", Op: query.Eq, Values: []string{"false"}})),
		},
		Values: []Expression{{"S", "$A / $B"}, {"O", "($C - $A) / ($D - $B)"}, {"P", "$E / $F"}},
		When: fmt.Sprintf("$A >= 5 && $G >= %d && $D - $B >= 20 && $F >= 100"+
			" && $A * ($D - $B) > (0.01 * ($D - $B) + 3 * ($C - $A)) * $B"+
			" && $A * $F > (0.01 * $F + 3 * $E) * $B", leastAgents),
		Summary: countryCDN.text + `: {{ printf "%.0f" $values.A.Value }} of {{ printf "%.0f" $values.B.Value }} runs bad in 30m ` +
			`({{ humanizePercentage $values.S.Value }}), seen by {{ printf "%.0f" $values.G.Value }} agents; ` +
			`the other CDNs there: {{ humanizePercentage $values.O.Value }}; the day before: {{ humanizePercentage $values.P.Value }}`,
		Open: open(boards.UIDCountry, slice...),
	}
}

// expected is how many runs a silence must have missed to be one.
const expected = 5

// silentCountry is a country of which no run has come in 15 minutes where
// by its own last day 5 should have, or in 2 hours where runs are rare. What
// the plan does not ask for any more is not expected, and has no coverage.
func silentCountry() Rule {
	by := []string{"country"}
	return Rule{
		UID: "firstframecountrysilent", Title: "FirstframeCountrySilent", Severity: Page, For: 2 * time.Minute, Runbook: "silent-country.md",
		Labels: map[string]string{"rule": "FirstframeCountrySilent"},
		Asks: []Ask{
			ask("A", 15*time.Minute, "coverage", by, nil), ask("B", 2*time.Hour, "coverage", by, nil),
			ask("C", day, "silent_ms", by, nil), ask("D", day, "runs", by, nil), ask("E", day, "agents", by, nil),
		},
		Values: []Expression{{"S", "$C / 1000"}, {"M", "$A + 0"}, {"N", "$B + 0"}},
		When: fmt.Sprintf("(is_number($M) && $M == 0 && $D / 96 >= %d) || (is_number($N) && $N == 0 && $D / 12 >= %d)",
			expected, expected),
		Summary: country + `: no run for {{ humanizeDuration $values.S.Value }} of the {{ printf "%.0f" $values.E.Value }} agents ` +
			`that sent {{ printf "%.0f" $values.D.Value }} runs in the last 24h; nothing is known about playback there`,
		Open: open(boards.UIDFleet, by...),
	}
}

// silentAgent is an agent of which no run has come in 15 minutes, and in five
// of its usual intervals, while others of its country send.
func silentAgent() Rule {
	by := []string{"agent", "country"}
	return Rule{
		UID: "firstframeagentsilent", Title: "FirstframeAgentSilent", Severity: Ticket, For: 5 * time.Minute, Runbook: "silent-agent.md",
		Labels: map[string]string{"rule": "FirstframeAgentSilent"},
		Asks: []Ask{
			ask("A", 15*time.Minute, "coverage", by, nil), ask("B", day, "silent_ms", by, nil), ask("C", day, "interval_ms_p50", by, nil),
			ask("D", 15*time.Minute, "coverage", by[1:], nil), ask("E", day, "runs", by, nil),
		},
		Values: []Expression{{"S", "$B / 1000"}, {"L", "$A + 0"}, {"M", "$C + 0"}, {"N", "$D + 0"}},
		When: fmt.Sprintf("is_number($L) && $L == 0 && $B > %d && is_number($M) && $B > %d * $M && is_number($N) && $N > 0",
			(15 * time.Minute).Milliseconds(), expected),
		Summary: `Agent {{ or $labels.agent "unknown" }} in ` + country + `: no run for {{ humanizeDuration $values.S.Value }}, ` +
			`after {{ printf "%.0f" $values.E.Value }} in the last 24h; other agents there send`,
		Open: open(boards.UIDFleet, by...),
	}
}

// certificate is an edge's certificate that ends in less than left.
func certificate(title string, left time.Duration, severity string) Rule {
	by := []string{"cdn", "target"}
	return Rule{
		UID: "firstframecertificateends-" + short(left), Title: title, Severity: severity, For: 10 * time.Minute, Runbook: "certificate-expiry.md",
		Labels: map[string]string{"rule": "FirstframeCertificateEnds"},
		Asks:   []Ask{ask("A", 6*time.Hour, "tls_expires_in_ms", by, nil), ask("B", 6*time.Hour, "agents", by, nil)},
		Values: []Expression{{"S", "$A / 1000"}, {"N", "$A + 0"}},
		When:   fmt.Sprintf("is_number($N) && $N < %d", left.Milliseconds()),
		Summary: `{{ or $labels.cdn "An unknown CDN" }}: the first certificate of target {{ $labels.target }} ` +
			`{{ if lt $values.S.Value 0.0 }}has ended{{ else }}ends in {{ humanizeDuration $values.S.Value }}{{ end }}, ` +
			`as edges showed {{ printf "%.0f" $values.B.Value }} agents`,
		Open: open(boards.UIDFleet, by...),
	}
}

// staleAge is the age of a live playlist that is too old, five segments of 6 s:
// a player that starts three behind the edge has none left.
const staleAge = 30 * time.Second

// live is the condition on live streams.
var live = query.Cond{Dim: "mode", Op: query.In, Values: []string{"live", "low_latency"}}

// stale is a live playlist that moves on too late, or not at all.
func stale() Rule {
	by := []string{"target", "cdn"}
	return Rule{
		UID: "firstframestaleplaylist", Title: "FirstframeStalePlaylist", Severity: Page, For: 2 * time.Minute, Runbook: "stale-playlist.md",
		Labels: map[string]string{"rule": "FirstframeStalePlaylist"},
		Asks: []Ask{
			ask("A", 10*time.Minute, "playlist_age_ms_p50", by, voting(live)), ask("B", 10*time.Minute, "runs", by, voting(live)),
			ask("C", 10*time.Minute, "agents", by, voting(live)),
		},
		Values: []Expression{{"S", "$A / 1000"}, {"N", "$A + 0"}},
		When:   fmt.Sprintf("is_number($N) && $N > %d && $B >= 5 && $C >= %d", staleAge.Milliseconds(), leastAgents),
		Summary: `Target {{ $labels.target }} through {{ or $labels.cdn "an unknown CDN" }}: the live playlist's last segment ended ` +
			`{{ humanizeDuration $values.S.Value }} ago, in half of {{ printf "%.0f" $values.B.Value }} runs of {{ printf "%.0f" $values.C.Value }} agents`,
		Open: open(boards.UIDCDN, by...),
	}
}

// staleFailed is a live playlist so stale that runs fail for it, of which the
// age is not known.
func staleFailed() Rule {
	by := []string{"target", "cdn"}
	failed := voting(query.Cond{Dim: "error_type", Op: query.Eq, Values: []string{"manifest_stale"}})
	return Rule{
		UID: "firstframestaleplaylist-failed", Title: "FirstframeStalePlaylist failed", Severity: Page, For: 2 * time.Minute, Runbook: "stale-playlist.md",
		Labels: map[string]string{"rule": "FirstframeStalePlaylist"},
		Asks: []Ask{
			ask("A", 10*time.Minute, "failed", by, failed), ask("B", 10*time.Minute, "agents", by, failed),
			ask("C", 10*time.Minute, "runs", by, voting()),
		},
		When: fmt.Sprintf("$A >= 5 && $B >= %d", leastAgents),
		Summary: `Target {{ $labels.target }} through {{ or $labels.cdn "an unknown CDN" }}: {{ printf "%.0f" $values.A.Value }} of ` +
			`{{ printf "%.0f" $values.C.Value }} runs failed in 10m because the live playlist stands still, seen by {{ printf "%.0f" $values.B.Value }} agents`,
		Open: open(boards.UIDCDN, by...),
	}
}
