package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)

const full = `{"from":"now-24h","to":"2026-11-23T12:00:00Z","step":"5m","measures":["sli","ttff_ms_p95"],
	"group_by":["country","cdn"],"where":[{"dim":"good","op":"eq","values":["false"]}],
	"order_by":{"measure":"sli","desc":true},"limit":5,"pair_by":"cdn"}`

func TestParse(t *testing.T) {
	got, err := Parse([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := &Request{From: Ago(24 * time.Hour), To: At(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)),
		Step: Duration(5 * time.Minute), Measures: []string{"sli", "ttff_ms_p95"}, GroupBy: []string{"country", "cdn"},
		Where:   []Cond{{Dim: "good", Op: Eq, Values: []string{"false"}}},
		OrderBy: &Order{Measure: "sli", Desc: true}, Limit: 5, PairBy: "cdn"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err = Parse([]byte(`{}`)); err != nil || got.From != Ago(DefaultRange) || got.To != (Time{}) {
		t.Errorf("defaults: %+v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	many := func(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	for name, test := range map[string]struct {
		text, code, field, mean string
	}{
		"no JSON":            {`{`, CodeJSON, "", ""},
		"null":               {`null`, CodeJSON, "", ""},
		"wrong type":         {`{"limit":"5"}`, CodeJSON, "limit", ""},
		"key":                {`{"mesures":[]}`, CodeKey, "mesures", "measures"},
		"key by case":        {`{"Limit":1}`, CodeKey, "Limit", "limit"},
		"key of a condition": {`{"where":[{"dimm":"x"}]}`, CodeKey, "where[0].dimm", "dim"},
		"measure":            {`{"measures":["runs","ttff_p95"]}`, CodeMeasure, "measures[1]", "ttff_ms_p95"},
		"measure far off":    {`{"measures":["quux_zzzzzzzz"]}`, CodeMeasure, "measures[0]", ""},
		"dimension":          {`{"group_by":["contry"]}`, CodeDimension, "group_by[0]", "country"},
		"a measure is none":  {`{"group_by":["ttff_ms"]}`, CodeDimension, "group_by[0]", ""},
		"where":              {`{"where":[{"dim":"cdm","op":"eq","values":["a"]}]}`, CodeDimension, "where[0].dim", "cdn"},
		"op":                 {`{"where":[{"dim":"cdn","op":"equ","values":["a"]}]}`, CodeOp, "where[0].op", "eq"},
		"no value":           {`{"where":[{"dim":"cdn","op":"eq"}]}`, CodeValue, "where[0].values", ""},
		"two values":         {`{"where":[{"dim":"cdn","op":"eq","values":["a","b"]}]}`, CodeValue, "where[0].values", ""},
		"boolean":            {`{"where":[{"dim":"ok","op":"eq","values":["1"]}]}`, CodeValue, "where[0].values[0]", ""},
		"number":             {`{"where":[{"dim":"asn","op":"in","values":["1","AS2"]}]}`, CodeValue, "where[0].values[1]", ""},
		"pattern":            {`{"where":[{"dim":"cdn","op":"match","values":["a)|(b"]}]}`, CodePattern, "where[0].values[0]", ""},
		"pattern on a time":  {`{"where":[{"dim":"started_at","op":"match","values":["a"]}]}`, CodeValue, "where[0].op", ""},
		"long value":         {`{"where":[{"dim":"cdn","op":"eq","values":["` + strings.Repeat("x", 1001) + `"]}]}`, CodeBounds, "where[0].values[0]", ""},
		"many values":        {`{"where":[{"dim":"cdn","op":"in","values":[` + many(1001, `"a"`) + `]}]}`, CodeBounds, "where[0].values", ""},
		"many conditions":    {`{"where":[` + many(21, `{"dim":"cdn","op":"exists"}`) + `]}`, CodeBounds, "where", ""},
		"many dimensions":    {`{"group_by":[` + many(9, `"cdn"`) + `]}`, CodeBounds, "group_by", ""},
		"order":              {`{"group_by":["cdn"],"order_by":{"measure":"cnd"}}`, CodeColumn, "order_by.measure", "cdn"},
		"limit":              {`{"limit":10001}`, CodeBounds, "limit", ""},
		"short step":         {`{"step":"500ms"}`, CodeBounds, "step", ""},
		"step":               {`{"step":"5 minutes"}`, CodeTime, "step", ""},
		"time":               {`{"from":"yesterday"}`, CodeTime, "from", ""},
		"compare":            {`{"compare":"7d"}`, CodeTime, "compare", ""},
		"compare far":        {`{"compare":"-401d"}`, CodeBounds, "compare", ""},
		"exemplars":          {`{"exemplars":6}`, CodeBounds, "exemplars", ""},
		"order by exemplars": {`{"exemplars":1,"order_by":{"measure":"exemplars"}}`, CodeColumn, "order_by.measure", ""},
		"pairs of nothing":   {`{"measures":["sli","pairs"],"group_by":["cdn"]}`, CodePair, "measures[1]", ""},
		"pairs over all":     {`{"pair_by":"cdn","group_by":["country"]}`, CodePair, "pair_by", ""},
		"pair by":            {`{"pair_by":"cnd","group_by":["cdn"]}`, CodeDimension, "pair_by", "cdn"},
		"pair by country":    {`{"pair_by":"country","group_by":["country"]}`, CodeDimension, "pair_by", ""},
		"coverage by POP":    {`{"measures":["coverage"],"group_by":["cdn","pop"]}`, CodeSlice, "group_by[1]", ""},
		"coverage where bad": {`{"measures":["coverage"],"where":[{"dim":"good","op":"eq","values":["false"]}]}`, CodeSlice, "where[0].dim", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.text))
			var e *Error
			if !errors.As(err, &e) || e.Code != test.code || e.Field != test.field {
				t.Fatalf("got %#v, want %s at %s", err, test.code, test.field)
			}
			if test.mean != "" && (len(e.DidYouMean) == 0 || e.DidYouMean[0] != test.mean) {
				t.Errorf("did you mean %v, want %s first", e.DidYouMean, test.mean)
			}
			if strings.HasPrefix(test.code, "unknown") && len(e.DidYouMean) == 0 && !strings.Contains(e.Message, "there are: ") {
				t.Errorf("no near name, and the valid ones are not listed: %s", e.Message)
			}
			if text, err := json.Marshal(e); err != nil || strings.Contains(string(text), `"did_you_mean":null`) {
				t.Errorf("as JSON: %s (%v)", text, err)
			}
		})
	}
}

func TestResolveBounds(t *testing.T) {
	for name, test := range map[string]struct {
		r    Request
		code string
	}{
		"from is to":    {Request{}, CodeTime},
		"from after to": {Request{From: Ago(time.Hour), To: Ago(2 * time.Hour)}, CodeTime},
		"long":          {Request{From: Ago(MaxRange + time.Second)}, CodeBounds},
		"early":         {Request{From: At(time.Unix(-1, 0)), To: At(time.Unix(9, 0))}, CodeBounds},
		"late":          {Request{To: At(time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC))}, CodeBounds},
		"buckets":       {Request{From: Ago(11_001 * time.Second), Step: Duration(time.Second)}, CodeBounds},
	} {
		_, err := test.r.Resolve(now)
		var e *Error
		if !errors.As(err, &e) || e.Code != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	q, err := (&Request{From: Ago(time.Hour), Step: Duration(30 * time.Minute)}).Resolve(now)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 23, 11, 30, 0, 0, time.UTC); !q.Start.Equal(want) || q.Buckets != 3 {
		t.Errorf("%d buckets from %s, want 3 from %s", q.Buckets, q.Start, want)
	}
}

// TestCells: the series of an answer with many buckets are so few that rows
// times columns stay within the bound.
func TestCells(t *testing.T) {
	for _, test := range []struct {
		r    Request
		want int
	}{
		{Request{From: Ago(time.Hour), Step: Duration(time.Minute), GroupBy: []string{"cdn"}, Limit: 9}, 9},
		{Request{From: Ago(2 * time.Hour), Step: Duration(time.Second), GroupBy: []string{"cdn"}, Limit: 9000}, MaxCells / 7200 / 3},
		{Request{From: Ago(2 * time.Hour), Step: Duration(time.Second), GroupBy: []string{"cdn"}, Measures: []string{"sli"}, Compare: Offset(time.Hour), Exemplars: 1}, MaxCells / 7200 / 7},
	} {
		q, err := test.r.Resolve(now)
		if err != nil {
			t.Fatal(err)
		}
		if q.Limit != test.want || q.Limit*q.Buckets*len(q.Columns) > MaxCells {
			t.Errorf("%d buckets of %d columns: %d series, want %d", q.Buckets, len(q.Columns), q.Limit, test.want)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "24h": 24 * time.Hour, "1d12h": 36 * time.Hour, "2w": 14 * 24 * time.Hour,
		"250ms": 250 * time.Millisecond, "1m5ms": time.Minute + 5*time.Millisecond, "0s": 0, "90m": 90 * time.Minute,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s: %v (%v), want %v", text, got, err, want)
		}
		if again, err := ParseDuration(Duration(want).String()); err != nil || again != want {
			t.Errorf("%s: %v (%v)", Duration(want), again, err)
		}
	}
	for _, text := range []string{"", "5", "m", "5x", "5m5m", "5s1m", "-5m", "1.5h", "9999999999999999999h", "1000w"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestFill(t *testing.T) {
	q, err := (&Request{From: At(now.Truncate(time.Hour)), To: At(now.Truncate(time.Hour).Add(3 * time.Hour)), Step: Duration(time.Hour),
		GroupBy: []string{"cdn"}, Measures: []string{"sli"}, OrderBy: &Order{Measure: "time", Desc: true}}).Resolve(now)
	if err != nil {
		t.Fatal(err)
	}
	at := func(h int) time.Time { return q.Start.Add(time.Duration(h) * time.Hour) }
	one := int64(1)
	got := q.Fill([][]any{{at(0), "a", one, 1.0}, {at(2), "a", one, 0.5}, {at(2), nil, one, 0.0}})
	want := [][]any{
		{at(2), "a", one, 0.5}, {at(1), "a", int64(0), nil}, {at(0), "a", one, 1.0},
		{at(2), nil, one, 0.0}, {at(1), nil, int64(0), nil}, {at(0), nil, int64(0), nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteCSV(t *testing.T) {
	a := &Answer{Columns: []Column{{Name: "time"}, {Name: "city"}, {Name: "ok"}, {Name: "runs"}, {Name: "sli"}},
		Rows: [][]any{{now, `a,"b"`, true, int64(3), 1e-7}, {now, nil, false, int64(0), nil}}}
	var b strings.Builder
	if err := WriteCSV(&b, a); err != nil {
		t.Fatal(err)
	}
	want := "time,city,ok,runs,sli\n2026-11-23T12:34:56Z,\"a,\"\"b\"\"\",true,3,0.0000001\n2026-11-23T12:34:56Z,,false,0,\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{full, `{}`, `{"where":[{"dim":"pop","op":"match","values":["(?i)gru.*"]}]}`,
		`{"from":"2026-01-01T00:00:00.5+02:00","step":"1d12h"}`, `{"order_by":null,"step":""}`, `[]`, `{"where":[null]}`, `{"exemplars":3,"compare":"-1w"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.DidYouMean == nil || e.Code == "" {
				t.Fatalf("not a proper error: %#v", err)
			}
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if fmt.Sprint(*back) != fmt.Sprint(*r) && back.OrderBy == nil {
			t.Fatalf("%s became %s", text, again)
		}
		if q, err := r.Resolve(now); err == nil && (q.Buckets < 1 || q.Buckets > MaxBuckets || q.Start.After(q.From) || q.Limit < 1) {
			t.Fatalf("resolved beyond its bounds: %+v", q)
		}
	})
}
