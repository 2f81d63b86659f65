// Package alerting is Firstframe's alert rules for Grafana, with a contact
// point and a policy as an example.
//
// [Groups] are the rules; [Files] writes them in the format of Grafana's file
// provisioning, as 9.4 reads it. Names, thresholds and runbooks are those of
// the rules for Prometheus in dashboards/prometheus. But these rules ask the
// collector, which knows every run: an alert needs so many bad runs and so many
// agents that saw them, and agents whose own control targets failed have no
// vote.
//
// How a rule is evaluated:
//
//   - Each query asks for one measure in one table, whose rows are numbers
//     labelled by their dimensions: that is what Grafana's expressions take.
//   - Numbers of two queries meet where their labels are equal, or where one's
//     are among the other's. What has no counterpart is left out.
//   - A condition is true for any value but 0, NaN included. So what may be
//     unknown is asked for with is_number first, and shares are compared by
//     multiplication, since dividing by 0 runs would be NaN.
//   - is_number makes Grafana 9.4 panic where a query has no rows at all: so it
//     is asked of a sum with 0, which is nothing then.
//   - No runs are no alert of quality: silence has alerts of its own.
//
// A dollar is written as it is: Grafana takes queries, expressions and
// annotations raw from these files, and puts the environment's values only into
// the rest (labels, contact points), where there are none.
package alerting

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/firstframe/firstframe/dashboards/board"
	"github.com/firstframe/firstframe/dashboards/datasource/pkg/model"
)

// Source is the uid that the data source is provisioned with. Rules cannot
// choose one.
const Source = "firstframe"

// Folder is Grafana's folder of the rules and dashboards.
const Folder = "Firstframe"

// runbooks is where the runbooks can be read.
const runbooks = "https://github.com/firstframe/firstframe/blob/main/dashboards/runbooks/"

// condition is the answer that makes an alert.
const condition = "Z"

// unknown is the text when a rule could not be evaluated.
const unknown = "This rule could not ask the collector: nothing is known about playback, and no other alert can be trusted to come. See the runbook collector.md"

// Severities: a page wakes somebody, a ticket waits for the day.
const (
	Page   = "page"
	Ticket = "ticket"
)

// Group is rules that are evaluated one after the other.
type Group struct {
	Name  string
	Every time.Duration
	Rules []Rule
}

// Rule is one alert.
type Rule struct {
	UID      string // at most 40 characters
	Title    string // the label alertname
	Severity string
	For      time.Duration     // how long it must hold
	Labels   map[string]string // beside severity, and those of the slice
	Asks     []Ask
	Values   []Expression // for the text
	When     string       // an expression of Grafana's, over answers and values
	Summary  string       // a template: the slice, and the evidence
	Open     string       // a template: the dashboard, with its variables
	Runbook  string       // a file in dashboards/runbooks
}

// Ask is a query of a rule.
type Ask struct {
	Ref      string
	From, To time.Duration // before now
	Query    model.Query
}

// Expression is a number that is computed from others.
type Expression struct{ Ref, Math string }

// Files are the provisioning files by name.
func Files() (map[string][]byte, error) {
	rules, err := provisioned(Groups())
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, doc := range map[string]any{"rules.yaml": rules, "contactpoints.yaml": contactPoints, "policies.yaml": policies} {
		text, err := yaml.MarshalWithOptions(doc, yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true))
		if err != nil {
			return nil, fmt.Errorf("alerting: %s: %w", name, err)
		}
		files[name] = append([]byte("# Made by go generate ./dashboards: change the code, not this file.\n"), text...)
	}
	return files, nil
}

// document is a provisioning file of rules.
type document struct {
	APIVersion int     `yaml:"apiVersion"`
	Groups     []group `yaml:"groups"`
}

type group struct {
	OrgID    int    `yaml:"orgId"`
	Name     string `yaml:"name"`
	Folder   string `yaml:"folder"`
	Interval string `yaml:"interval"`
	Rules    []rule `yaml:"rules"`
}

type rule struct {
	UID          string            `yaml:"uid"`
	Title        string            `yaml:"title"`
	Condition    string            `yaml:"condition"`
	Data         []data            `yaml:"data"`
	NoDataState  string            `yaml:"noDataState"`
	ExecErrState string            `yaml:"execErrState"`
	For          string            `yaml:"for"`
	Annotations  map[string]string `yaml:"annotations"`
	Labels       map[string]string `yaml:"labels"`
}

type data struct {
	RefID         string         `yaml:"refId"`
	QueryType     string         `yaml:"queryType"`
	Range         span           `yaml:"relativeTimeRange"`
	DatasourceUID string         `yaml:"datasourceUid"`
	Model         map[string]any `yaml:"model"`
}

// span is in seconds before now.
type span struct {
	From int `yaml:"from"`
	To   int `yaml:"to"`
}

func provisioned(groups []Group) (*document, error) {
	doc := &document{APIVersion: 1}
	for _, g := range groups {
		made := group{OrgID: 1, Name: g.Name, Folder: Folder, Interval: short(g.Every)}
		for _, r := range g.Rules {
			p, err := r.provisioned()
			if err != nil {
				return nil, fmt.Errorf("alerting: %s: %w", r.Title, err)
			}
			made.Rules = append(made.Rules, p)
		}
		doc.Groups = append(doc.Groups, made)
	}
	return doc, nil
}

func (r *Rule) provisioned() (rule, error) {
	p := rule{
		UID: r.UID, Title: r.Title, Condition: condition, For: short(r.For),
		NoDataState:  "OK",    // silence has alerts of its own
		ExecErrState: "Error", // a collector that does not answer is an alert too
		Annotations:  map[string]string{"summary": "{{ if $values." + condition + " }}" + r.Summary + "{{ else }}" + unknown + "{{ end }}", "dashboard": "{{ externalURL }}d/" + r.Open, "runbook_url": runbooks + r.Runbook},
		Labels:       map[string]string{"severity": r.Severity},
	}
	for k, v := range r.Labels {
		p.Labels[k] = v
	}
	for _, a := range r.Asks {
		target, err := board.Target(a.Query, a.Ref, Source)
		if err != nil {
			return rule{}, err
		}
		p.Data = append(p.Data, data{RefID: a.Ref, Range: span{int(a.From.Seconds()), int(a.To.Seconds())}, DatasourceUID: Source, Model: target})
	}
	for _, e := range append(r.Values, Expression{condition, r.When}) {
		p.Data = append(p.Data, data{RefID: e.Ref, DatasourceUID: "__expr__", Model: map[string]any{
			"refId": e.Ref, "type": "math", "expression": e.Math, "datasource": map[string]any{"type": "__expr__", "uid": "__expr__"},
		}})
	}
	return p, nil
}

// short is d as Grafana writes durations, in its largest whole unit.
func short(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d%u.unit == 0 && d > 0 {
			return fmt.Sprintf("%d%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}
