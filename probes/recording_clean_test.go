package probes

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
)

// What is made clean is the bundle's alone: neither the run nor the exchange that it
// comes from.
func TestCleanLeavesTheRun(t *testing.T) {
	const secret, mark = "a-5ecret", redact.Mark
	var rec Recording
	rec.secrets = &redact.Redactor{}
	rec.secrets.Know(secret)
	of := func(text string) run.Run {
		return run.Run{Labels: map[string]string{"l": text}, Steps: []run.Step{{URL: text, Connects: []string{text}, CNAMEs: []string{text}, Headers: map[string][]string{"H": {text}}}}}
	}
	r := of(secret)
	kept := copyOf(r)
	clean(&kept, rec.secrets)
	if diff := cmp.Diff(of(mark), kept); diff != "" {
		t.Errorf("the bundle's (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(of(secret), r); diff != "" {
		t.Errorf("the run (-want +got):\n%s", diff)
	}

	names, headers := []string{secret}, map[string][]string{"H": {secret}}
	e := bundle.Exchange{Names: names, Headers: headers}
	rec.cleanExchange(&e)
	if e.Names[0] != mark || e.Headers["H"][0] != mark || !slices.Equal(names, []string{secret}) || !maps.EqualFunc(headers, map[string][]string{"H": {secret}}, slices.Equal) {
		t.Errorf("%q and %q are made of %q and %q", e.Names, e.Headers, names, headers)
	}
}
