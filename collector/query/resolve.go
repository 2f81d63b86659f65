package query

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/firstframe/firstframe/probes/run"
)

// Resolved is a request checked, with its names looked up, its defaults filled
// in and its times fixed: what an engine needs.
type Resolved struct {
	From, To time.Time     // from <= started_at < to, UTC, between 1970 and 2200
	Step     time.Duration // zero: one bucket, and no time column
	Start    time.Time     // of the first bucket: at or before From, aligned to the epoch
	Buckets  int           // at least 1

	Dims     []*Dimension // none twice
	Measures []*Measure   // runs first, none twice
	Filters  []Filter     // all must hold

	Compare   time.Duration // zero, or how much earlier the period of comparison lies
	PairBy    *Dimension    // nil, or one of Dims and of Paired
	Exemplars int           // 0 to MaxExemplar
	Settled   time.Time     // runs that started before it are expected to have arrived

	// Columns are time with a step, then Dims, then Measures, then, with
	// Compare, Measures again, then with Exemplars one column of these.
	Columns []Column
	OrderBy int // index in Columns, not of exemplars
	Desc    bool
	Limit   int // rows, or series with a step: at least 1
}

// Filter is a condition whose values have the type of its dimension.
type Filter struct {
	Dim *Dimension
	Op  Op

	// Values are string, int64, bool or time.Time as Dim says; of exists one
	// bool; of match and not_match one string, an RE2 pattern that is to match
	// the whole text of the value.
	Values []any
}

var (
	earliest = time.Unix(0, 0).UTC()
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Resolve checks r and fixes its times at now. Any error is an [*Error].
func (r *Request) Resolve(now time.Time) (*Resolved, error) {
	q, err := r.names()
	if err != nil {
		return nil, err
	}
	q.From, q.To = r.From.In(now), r.To.In(now)
	span := q.To.Sub(q.From)
	switch {
	case q.From.Before(earliest) || q.To.After(latest):
		return nil, Errorf(CodeBounds, "from", "times lie between %s and %s", At(earliest), At(latest))
	case span <= 0:
		return nil, Errorf(CodeTime, "from", "from (%s) is not before to (%s)", At(q.From), At(q.To))
	case span > MaxRange:
		return nil, Errorf(CodeBounds, "from", "the range is %s long, at most %s are allowed", Duration(span), Duration(MaxRange))
	}
	if q.From.Add(-q.Compare).Before(earliest) {
		return nil, Errorf(CodeBounds, "compare", "%s before %s is before %s", Duration(q.Compare), At(q.From), At(earliest))
	}
	q.Settled = now.Add(-Grace).UTC()
	q.Start, q.Buckets = q.From, 1
	if q.Step > 0 {
		ns := q.From.UnixNano()
		q.Start = time.Unix(0, ns-ns%int64(q.Step)).UTC()
		n := (q.To.Sub(q.Start) + q.Step - 1) / q.Step
		if n > MaxBuckets {
			return nil, Errorf(CodeBounds, "step", "a step of %s gives %d buckets, at most %d are allowed", r.Step, n, MaxBuckets)
		}
		q.Buckets = int(n)
		q.Limit = max(1, min(q.Limit, MaxCells/q.Buckets/len(q.Columns)))
	}
	return q, nil
}

// names checks and resolves all of r but its times.
func (r *Request) names() (*Resolved, error) {
	q := &Resolved{Step: time.Duration(r.Step), Limit: r.Limit, Compare: time.Duration(r.Compare), Exemplars: r.Exemplars}
	if q.Step != 0 && q.Step < MinStep {
		return nil, Errorf(CodeBounds, "step", "a step of %s is below %s", r.Step, Duration(MinStep))
	}
	switch {
	case r.Limit < 0 || r.Limit > MaxLimit:
		return nil, Errorf(CodeBounds, "limit", "%d is not between 0 and %d", r.Limit, MaxLimit)
	case q.Compare < 0 || q.Compare > MaxRange:
		return nil, Errorf(CodeBounds, "compare", "%s is not between 0 and %s", Duration(q.Compare), Duration(MaxRange))
	case r.Exemplars < 0 || r.Exemplars > MaxExemplar:
		return nil, Errorf(CodeBounds, "exemplars", "%d is not between 0 and %d", r.Exemplars, MaxExemplar)
	case r.Limit == 0:
		q.Limit = DefaultLimit
	}
	if err := q.columns(r); err != nil {
		return nil, err
	}
	if err := q.pair(r); err != nil {
		return nil, err
	}
	if err := q.order(r.OrderBy); err != nil {
		return nil, err
	}
	if err := q.where(r.Where); err != nil {
		return nil, err
	}
	return q, q.coverable(r)
}

func (q *Resolved) columns(r *Request) error {
	if len(r.GroupBy) > MaxGroupBy {
		return Errorf(CodeBounds, "group_by", "%d dimensions, at most %d are allowed", len(r.GroupBy), MaxGroupBy)
	}
	if len(r.Measures) > MaxMeasures {
		return Errorf(CodeBounds, "measures", "%d measures, at most %d are allowed", len(r.Measures), MaxMeasures)
	}
	if q.Step > 0 {
		q.Columns = append(q.Columns, Column{Name: TimeColumn, Kind: KindTime})
	}
	for i, name := range r.GroupBy {
		d := DimensionByName(name)
		if d == nil {
			return UnknownDimension(fmt.Sprintf("group_by[%d]", i), name)
		}
		if !slices.Contains(q.Dims, d) {
			q.Dims = append(q.Dims, d)
			kind := KindDimension
			if d.Type == run.Time {
				kind = KindTime
			}
			q.Columns = append(q.Columns, Column{Name: d.Name, Kind: kind})
		}
	}
	for i, name := range append([]string{"runs"}, r.Measures...) {
		m := MeasureByName(name)
		if m == nil {
			return unknown(CodeMeasure, fmt.Sprintf("measures[%d]", i-1), "measure", name, measureNames)
		}
		if !slices.Contains(q.Measures, m) {
			q.Measures = append(q.Measures, m)
			q.Columns = append(q.Columns, Column{Name: m.Name, Kind: m.Kind, Unit: m.Unit})
		}
	}
	if q.Compare > 0 {
		for _, m := range q.Measures {
			q.Columns = append(q.Columns, Column{Name: m.Name + BeforeSuffix, Kind: m.Kind, Unit: m.Unit})
		}
	}
	if q.Exemplars > 0 {
		q.Columns = append(q.Columns, Column{Name: ExemplarsColumn, Kind: KindExemplars})
	}
	return nil
}

func (q *Resolved) order(o *Order) error {
	name := "runs"
	q.Desc = true
	if o != nil {
		name, q.Desc = o.Measure, o.Desc
	}
	columns := q.Columns
	if q.Exemplars > 0 {
		columns = columns[:len(columns)-1]
	}
	names := namesOf(columns, func(c Column) string { return c.Name })
	q.OrderBy = slices.Index(names, name)
	if q.OrderBy < 0 {
		return unknown(CodeColumn, "order_by.measure", "column of this answer", name, names)
	}
	return nil
}

func (q *Resolved) where(conds []Cond) error {
	if len(conds) > MaxWhere {
		return Errorf(CodeBounds, "where", "%d conditions, at most %d are allowed", len(conds), MaxWhere)
	}
	fleetOnly := true
	for i, c := range conds {
		field := fmt.Sprintf("where[%d]", i)
		d := DimensionByName(c.Dim)
		if d == nil {
			return UnknownDimension(field+".dim", c.Dim)
		}
		f := Filter{Dim: d, Op: c.Op}
		if err := f.setValues(field, c.Values); err != nil {
			return err
		}
		q.Filters = append(q.Filters, f)
		fleetOnly = fleetOnly && c.Dim != "source"
	}
	if fleetOnly {
		q.Filters = append(q.Filters, Filter{Dim: DimensionByName("source"), Op: Eq, Values: []any{run.SourceFleet}})
	}
	return nil
}

// setValues checks texts against f's operator and dimension.
func (f *Filter) setValues(field string, texts []string) error {
	least, most := 1, 1
	typ := f.Dim.Type
	switch f.Op {
	case Eq, Ne:
	case Match, NotMatch:
		if typ == run.Time {
			return Errorf(CodeValue, field+".op", "%s is a time, which %s does not work on", f.Dim.Name, f.Op)
		}
		typ = run.String
	case In, NotIn:
		most = MaxValues
	case Exists:
		typ = run.Bool
		if len(texts) == 0 {
			texts = []string{"true"}
		}
	default:
		return unknown(CodeOp, field+".op", "operator", string(f.Op), namesOf(Ops, func(o Op) string { return string(o) }))
	}
	if len(texts) > most && most > 1 {
		return Errorf(CodeBounds, field+".values", "%d values, at most %d are allowed", len(texts), most)
	}
	if len(texts) < least || len(texts) > most {
		return Errorf(CodeValue, field+".values", "%s takes %s, got %d values", f.Op, takes[f.Op], len(texts))
	}
	for i, text := range texts {
		at := fmt.Sprintf("%s.values[%d]", field, i)
		if len(text) > MaxValueLen || !utf8.ValidString(text) {
			return Errorf(CodeBounds, at, "a value is valid UTF-8 of at most %d bytes", MaxValueLen)
		}
		v, err := parseValue(typ, text)
		if err != nil {
			return Errorf(CodeValue, at, "%s: %v", f.Dim.Name, err)
		}
		f.Values = append(f.Values, v)
	}
	if f.Op == Match || f.Op == NotMatch {
		if _, err := f.Regexp(); err != nil {
			return Errorf(CodePattern, field+".values[0]", "%v", err)
		}
	}
	return nil
}

var takes = map[Op]string{
	Eq: "one value", Ne: "one value", Match: "one pattern", NotMatch: "one pattern",
	In: "at least one value", NotIn: "at least one value", Exists: "true, false or nothing",
}

// Pattern is the RE2 pattern of a match or not_match, as it is to be searched
// for: anchored at both ends, its dot matching every character.
func (f *Filter) Pattern() string {
	text, _ := f.Values[0].(string)
	return `\A(?s:` + text + `)\z`
}

// Regexp compiles Pattern.
func (f *Filter) Regexp() (*regexp.Regexp, error) {
	// Alone first, so that a stray bracket cannot close the anchors' group.
	text, _ := f.Values[0].(string)
	if _, err := regexp.Compile(text); err != nil {
		return nil, err
	}
	return regexp.Compile(f.Pattern())
}

func parseValue(t run.Type, text string) (any, error) {
	switch t {
	case run.Bool:
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("%.40q is neither true nor false", text)
		}
		return text == "true", nil
	case run.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a whole number of 64 bits", text)
		}
		return n, nil
	case run.Time:
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || at.Before(earliest) || at.After(latest) {
			return nil, fmt.Errorf("%.40q is not an RFC 3339 time between 1970 and 2200", text)
		}
		return at.UTC(), nil
	}
	return text, nil
}
