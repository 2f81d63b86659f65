package run

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// instants are times that RFC 3339 can write.
func instants() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		sec := rapid.Int64Range(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC).Unix(), time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC).Unix()).Draw(t, "seconds")
		return time.Unix(sec, rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
	})
}

func floats() *rapid.Generator[float64] { return rapid.Float64Range(-1e18, 1e18) }

// runs are runs in which each field is known or, where it can be, null.
func runs() *rapid.Generator[Run] {
	return rapid.Custom(func(t *rapid.T) Run {
		var r Run
		for i := range Fields {
			f := &Fields[i]
			if f.Nullable && rapid.Bool().Draw(t, f.Name+" is null") {
				continue
			}
			if err := f.Set(&r, value(t, f)); err != nil {
				t.Fatal(err)
			}
		}
		if s := rapid.SliceOfN(steps(), 0, 4).Draw(t, "steps"); len(s) > 0 {
			r.Steps = s
		}
		return r
	})
}

func value(t *rapid.T, f *Field) any {
	switch f.Type {
	case String:
		return rapid.String().Draw(t, f.Name)
	case Int:
		return rapid.Int64().Draw(t, f.Name)
	case Float:
		return floats().Draw(t, f.Name)
	case Bool:
		return rapid.Bool().Draw(t, f.Name)
	case Time:
		return instants().Draw(t, f.Name)
	default:
		return rapid.MapOfN(rapid.String(), rapid.String(), 1, MaxLabels).Draw(t, f.Name)
	}
}

func steps() *rapid.Generator[Step] {
	return rapid.Custom(func(t *rapid.T) Step {
		s := Step{
			Name: rapid.SampledFrom(StepNames).Draw(t, "name"), Track: rapid.SampledFrom([]string{"", TrackVideo, TrackAudio}).Draw(t, "track"),
			Method: rapid.SampledFrom([]string{"", "HEAD", "POST"}).Draw(t, "method"), URL: rapid.String().Draw(t, "url"), Attempt: rapid.Int64().Draw(t, "attempt"),
			StartMs: floats().Draw(t, "start"), EndMs: floats().Draw(t, "end"), QueueMs: floats().Draw(t, "queue"),
			DNSMs: floats().Draw(t, "dns"), ConnMs: floats().Draw(t, "connect"), TLSMs: floats().Draw(t, "tls"),
			WaitMs: floats().Draw(t, "wait"), RecvMs: floats().Draw(t, "receive"),
			Status: rapid.Int64().Draw(t, "status"), Bytes: rapid.Int64().Draw(t, "bytes"),
			Remote: rapid.String().Draw(t, "remote"), Proto: rapid.String().Draw(t, "protocol"), Reused: rapid.Bool().Draw(t, "reused"),
			Error: rapid.SampledFrom(append(slices.Clone(ErrorTypes), "")).Draw(t, "error"), Detail: rapid.String().Draw(t, "detail"),
		}
		if rapid.Bool().Draw(t, "has headers") {
			s.Headers = rapid.MapOfN(rapid.String(), rapid.SliceOfN(rapid.String(), 1, 3), 1, 3).Draw(t, "headers")
		}
		return s
	})
}

func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := runs().Draw(t, "run")
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Run
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("through JSON (-want +got):\n%s", diff)
		}
	})
}

// What is not known is null on the wire, never 0 or the empty string; every
// field is there, and nothing else but the steps.
func TestJSONOfAnEmptyRun(t *testing.T) {
	text, err := json.Marshal(Run{})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := []string{"steps"}
	for i := range Fields {
		f := &Fields[i]
		want = append(want, f.Name)
		v, ok := got[f.Name]
		if !ok {
			t.Errorf("%s is missing", f.Name)
		}
		if null := v == nil; null != f.Nullable && f.Name != "run_id" {
			t.Errorf("%s is %v, nullable %t", f.Name, v, f.Nullable)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if s, ok := got["steps"].([]any); !ok || len(s) != 0 {
		t.Errorf("steps are %v, want an empty list", got["steps"])
	}
}

// The fields are written in the table's order, and times in UTC.
func TestJSONText(t *testing.T) {
	zone := time.FixedZone("BRT", -3*3600)
	ttff := 1234.5
	text, err := json.Marshal(Run{RunID: "a", StartedAt: time.Date(2026, 11, 23, 6, 0, 0, 1000, zone), TTFFMs: &ttff, Labels: map[string]string{"isp": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if start := `{"run_id":"a","started_at":"2026-11-23T09:00:00.000001Z","scheduled_at":null,"duration_ms":0,`; !strings.HasPrefix(string(text), start) {
		t.Errorf("starts with %.120s, want %s", text, start)
	}
	for _, part := range []string{`"ttff_ms":1234.5,`, `"labels":{"isp":"x"},`, `"country":null,`, `"queue_ms":0,`, `"steps":[]}`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s lacks %s", text, part)
		}
	}
}

func TestUnmarshalJSONRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"an unknown key": {`{"ttff":1}`, `"ttff" is not a field`},
		"a wrong type":   {`{"ttff_ms":"1"}`, "field ttff_ms"},
		"a wrong time":   {`{"started_at":"yesterday"}`, "field started_at"},
		"a year 10000":   {`{"started_at":"9999-12-31T23:59:59-01:00"}`, "field started_at"},
		"wrong steps":    {`{"steps":{}}`, "steps"},
		"a wrong step":   {`{"steps":[{"status":"ok"}]}`, "steps"},
		"not an object":  {`[]`, "run: "},
	} {
		t.Run(name, func(t *testing.T) {
			var r Run
			if err := json.Unmarshal([]byte(tt.text), &r); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one about %s", err, tt.want)
			}
		})
	}
}

// Reading forgets what the variable held before.
func TestUnmarshalJSONStartsAfresh(t *testing.T) {
	r := Run{Agent: "old", Steps: []Step{{}}}
	if err := json.Unmarshal([]byte(`{"target":"news","agent":null}`), &r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Run{Target: "news"}, r); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzUnmarshalJSON(f *testing.F) {
	whole, err := json.Marshal(Run{RunID: NewID(time.UnixMilli(1)), Steps: []Step{{Name: StepManifest, URL: "https://a/"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"labels":{"a":"b"},"asn":1,"scheduled_at":"2026-11-23T09:00:00+03:00"}`))
	f.Add([]byte(`{"ttff_ms":1e400}`))
	f.Add([]byte(`{"started_at":"9999-12-31T23:59:59-01:00"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Run
		if json.Unmarshal(text, &r) != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		var second Run
		if err := json.Unmarshal(again, &second); err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
	})
}

func BenchmarkMarshalJSON(b *testing.B) {
	r := Run{RunID: NewID(time.UnixMilli(1)), StartedAt: time.UnixMilli(1), Target: "news", Steps: make([]Step, 10)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(r); err != nil {
			b.Fatal(err)
		}
	}
}
