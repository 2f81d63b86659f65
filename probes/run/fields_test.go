package run

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite FIELDS.md")

// contract are the names that every wire and every query uses, by group. A
// name that is taken away or renamed breaks stored runs, dashboards and alerts.
const contract = `
run_id started_at scheduled_at duration_ms source agent agent_version region round plan_revision labels
country country_from subdivision city asn as_org client_ip ip_version
target format mode cdn app app_version player connection threshold_ms interval_ms
edge_ip edge_asn cdn_seen pop pop_country pop_city pathway manifest_cache_status segment_cache_status http_version tls_version tls_expires_at
ok good error_type error_step error_detail attempts redirects
ttff_ms first_keyframe_ms startup_ms
queue_ms playback_api_ms dns_ms connect_ms tls_ms manifest_ms playlist_ms key_ms init_ms segment_ttfb_ms segment_ms player_ms
bytes throughput_kbps bitrate_kbps width height codec
live_latency_ms playlist_age_ms
played_ms stalls stall_ms switches
clock_offset_ms clock_uncertainty_ms control_ok received_at`

func TestFieldNames(t *testing.T) {
	var got []string
	for i := range Fields {
		got = append(got, Fields[i].Name)
	}
	if diff := cmp.Diff(strings.Fields(contract), got); diff != "" {
		t.Errorf("names (-contract +table):\n%s", diff)
	}
}

// members calls f for every field of a run's struct but the steps, with those
// of the embedded phases.
func members(v reflect.Value, f func(name string, v reflect.Value)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch {
		case field.Anonymous:
			members(v.Field(i), f)
		case field.Name != "Steps":
			f(field.Name, v.Field(i))
		}
	}
}

func TestEveryMemberOfRunIsOneField(t *testing.T) {
	var r Run
	at := map[any][]string{}
	for i := range Fields {
		p := Fields[i].Ptr(&r)
		at[p] = append(at[p], Fields[i].Name)
	}
	n := 0
	members(reflect.ValueOf(&r).Elem(), func(name string, v reflect.Value) {
		n++
		if names := at[v.Addr().Interface()]; len(names) != 1 {
			t.Errorf("Run.%s is in the table as %q, want exactly one field", name, names)
		}
	})
	if n != len(Fields) {
		t.Errorf("Run has %d members, the table %d fields", n, len(Fields))
	}
}

// A field's place in Go is found by its name: ttff_ms is TTFFMs.
func TestFieldPointsAtTheMemberOfItsName(t *testing.T) {
	var r Run
	names := map[any]string{}
	members(reflect.ValueOf(&r).Elem(), func(name string, v reflect.Value) { names[v.Addr().Interface()] = name })
	for i := range Fields {
		f := &Fields[i]
		want := strings.ReplaceAll(f.Name, "_", "")
		if got := strings.ToLower(names[f.Ptr(&r)]); got != want {
			t.Errorf("field %s points at %s", f.Name, names[f.Ptr(&r)])
		}
	}
}

func TestFieldsAreWellFormed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	units := []string{"", "ms", "B", "kbit/s", "px"}
	for i := range Fields {
		f := &Fields[i]
		if !name.MatchString(f.Name) || f.Doc == "" || !slices.Contains(units, f.Unit) {
			t.Errorf("%s: name, doc %q or unit %q", f.Name, f.Doc, f.Unit)
		}
		if strings.HasSuffix(f.Name, "_ms") != (f.Unit == "ms") || strings.HasSuffix(f.Name, "_kbps") != (f.Unit == "kbit/s") {
			t.Errorf("%s: unit %q does not fit the name", f.Name, f.Unit)
		}
		if f.Role == Measure && f.Type != Int && f.Type != Float {
			t.Errorf("%s: a measure of type %s", f.Name, f.Type)
		}
		if f.Role == Dimension && f.Unit != "" {
			t.Errorf("%s: a dimension with a unit", f.Name)
		}
		if got := FieldByName(f.Name); got != f {
			t.Errorf("FieldByName(%q) is another field", f.Name)
		}
	}
	for _, unknown := range []string{"", "RunID", "ttff", "steps"} {
		if FieldByName(unknown) != nil {
			t.Errorf("FieldByName(%q) found a field", unknown)
		}
	}
}

// The phases add up only when all of them are added.
func TestPhasesSum(t *testing.T) {
	var p Phases
	v := reflect.ValueOf(&p).Elem()
	want := 0.0
	for i := range v.NumField() {
		v.Field(i).SetFloat(float64(int(1) << i))
		want += float64(int(1) << i)
	}
	if got := p.Sum(); got != want {
		t.Errorf("sum of %+v is %v, want %v", p, got, want)
	}
}

func TestGetSet(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 1, time.UTC)
	values := map[Type]any{String: "x", Int: int64(7), Float: 1.5, Bool: true, Time: now, Map: map[string]string{"a": "b"}}
	for i := range Fields {
		f := &Fields[i]
		t.Run(f.Name, func(t *testing.T) {
			var r Run
			if got := f.Get(&r); (got == nil) != f.Nullable && f.Name != "run_id" {
				t.Errorf("of an empty run it is %v, nullable %t", got, f.Nullable)
			}
			for typ, v := range values {
				err := f.Set(&r, v)
				if typ != f.Type {
					want := fmt.Sprintf("run: field %s is %s, got %T", f.Name, f.Type, v)
					if err == nil || err.Error() != want {
						t.Errorf("Set(%T): %v, want %s", v, err, want)
					}
					continue
				}
				if err != nil {
					t.Errorf("Set(%T): %v", v, err)
				}
			}
			if diff := cmp.Diff(values[f.Type], f.Get(&r)); diff != "" {
				t.Errorf("set, then got (-want +got):\n%s", diff)
			}
			if err := f.Set(&r, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Run{}, r); diff != "" {
				t.Errorf("set to nil the run is not empty:\n%s", diff)
			}
		})
	}
}

// Integers of another width, pointers and typed strings are refused, not
// converted: an encoder that sends them is wrong.
func TestSetRefusesKindredTypes(t *testing.T) {
	var r Run
	seven := int64(7)
	for name, v := range map[string]any{
		"attempts": 7, "asn": &seven, "ttff_ms": float32(1), "error_type": ErrDNS, "started_at": "2026-11-23T09:00:00Z", "ok": "true",
	} {
		if err := FieldByName(name).Set(&r, v); err == nil {
			t.Errorf("%s took a %T", name, v)
		}
	}
	if diff := cmp.Diff(Run{}, r); diff != "" {
		t.Errorf("a refused value was set:\n%s", diff)
	}
}

func TestClosedListsHaveNoDoubles(t *testing.T) {
	if n := len(slices.Compact(slices.Sorted(slices.Values(ErrorTypes)))); n != 21 || len(ErrorTypes) != 21 {
		t.Errorf("%d error types, %d of them different, want 21", len(ErrorTypes), n)
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(StepNames)))); n != 10 || len(StepNames) != 10 {
		t.Errorf("%d step names, %d of them different, want 10", len(StepNames), n)
	}
}

// FIELDS.md is written from the table: go test ./probes/run -update.
func TestDocumentationIsCurrent(t *testing.T) {
	const file = "FIELDS.md"
	want := documentation()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not current, run with -update (-table +file):\n%s", file, diff)
	}
}

func documentation() string {
	var b strings.Builder
	b.WriteString(`# The fields of a run

One row is one field. The names are the same in JSON, in OTLP (behind
` + "`firstframe.`" + `), in the store's columns and in queries. Dimensions slice,
measures are summed up, details are only shown with a run. What is not known is
null; a field that cannot be null is always there. This file is written from the
table in ` + "`fields.go`" + ` by ` + "`go test ./probes/run -update`" + `.

| name | type | unit | role | null | meaning |
|---|---|---|---|---|---|
`)
	for i := range Fields {
		f := &Fields[i]
		null := "no"
		if f.Nullable {
			null = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", f.Name, f.Type, f.Unit, f.Role, null, f.Doc)
	}
	list := func(title, intro string, names []string) {
		fmt.Fprintf(&b, "\n## %s\n\n%s: `%s`.\n", title, intro, strings.Join(names, "`, `"))
	}
	list("Values of error_type", "Why a run failed", texts(ErrorTypes))
	list("Values of error_step", "Where it failed", texts(StepNames))
	return b.String()
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
