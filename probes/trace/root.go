package trace

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/VictoriaMetrics/easyproto"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/firstframe/firstframe/probes/run"
)

// slot is a run together with the places that its pointers point at, so that
// it costs one allocation. More nullable fields than places cost one each.
type slot struct {
	run    run.Run
	floats [24]float64
	ints   [12]int64
	times  [4]time.Time
	bools  [2]bool
}

// fieldInfo is where an attribute belongs.
type fieldInfo struct {
	field *run.Field
	bit   int // in run.Fields
	place int // among the slot's places for its type
}

// infos are the fields by attribute key; needed are those that may not be null.
var infos, needed = func() (map[string]fieldInfo, fieldSet) {
	m := make(map[string]fieldInfo, len(run.Fields))
	var need fieldSet
	places := map[run.Type]int{}
	for i := range run.Fields {
		f := &run.Fields[i]
		info := fieldInfo{field: f, bit: i}
		if f.Nullable {
			info.place = places[f.Type]
			places[f.Type]++
		} else if f.Name != "run_id" { // the trace id
			need.add(i)
		}
		m[prefix+f.Name] = info
	}
	return m, need
}()

// fieldSet is a set of indexes of run.Fields.
type fieldSet [4]uint64

func (s *fieldSet) add(i int) { s[i/64] |= 1 << (i % 64) }

// missing is the name of the first field of need that is not in s.
func (s *fieldSet) missing(need *fieldSet) string {
	for i := range s {
		if m := need[i] &^ s[i]; m != 0 {
			return run.Fields[i*64+bits.TrailingZeros64(m)].Name
		}
	}
	return ""
}

// decode fills the slot from a root span. An error that is not ErrMalformed
// refuses the run alone.
func (s *slot) decode(id oteltrace.TraceID, src []byte, limits Limits, unknown *int) error {
	var seen fieldSet
	err := eachMessage(src, 9, func(kv []byte) error {
		key, v, err := parseKeyValue(kv)
		if err != nil || !strings.HasPrefix(key, prefix) {
			return err
		}
		info, ok := infos[key]
		if !ok {
			*unknown++
			return nil
		}
		seen.add(info.bit)
		if err := s.set(info, v, limits); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if name := seen.missing(&needed); name != "" {
		return fmt.Errorf("%s%s is missing", prefix, name)
	}
	if s.run.RunID == "" {
		s.run.RunID = id.String()
	} else if told, err := parseRunID(s.run.RunID); err != nil || told != id {
		return fmt.Errorf("run_id %.40q is not the trace id", s.run.RunID)
	}
	return valid(&s.run)
}

// set puts v into the field.
func (s *slot) set(info fieldInfo, v value, limits Limits) error {
	if v.kind != kindOf(info.field.Type) {
		return fmt.Errorf("is of type %s, not %s", v.kind, kindOf(info.field.Type))
	}
	if v.kind == kindString {
		if err := checkString(v.str, limits); err != nil {
			return err
		}
	}
	switch p := info.field.Ptr(&s.run).(type) {
	case *string:
		*p = v.str
	case *run.ErrorType:
		*p = run.ErrorType(v.str)
	case *run.StepName:
		*p = run.StepName(v.str)
	case *int64:
		*p = v.num
	case **int64:
		*p = place(s.ints[:], info.place, v.num)
	case *float64:
		*p = v.float
	case **float64:
		*p = place(s.floats[:], info.place, v.float)
	case *bool:
		*p = v.num != 0
	case **bool:
		*p = place(s.bools[:], info.place, v.num != 0)
	case *time.Time:
		t, err := parseTime(v.str)
		*p = t
		return err
	case **time.Time:
		t, err := parseTime(v.str)
		*p = place(s.times[:], info.place, t)
		return err
	case *map[string]string:
		labels, err := parseLabels(v.sub, limits)
		*p = labels
		return err
	}
	return nil
}

// place puts v at places[i] and points there; past the end it allocates.
func place[T any](places []T, i int, v T) *T {
	if i >= len(places) {
		return &v
	}
	places[i] = v
	return &places[i]
}

func checkString(s string, limits Limits) error {
	if len(s) > limits.String {
		return fmt.Errorf("has %d bytes, at most %d", len(s), limits.String)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("is not UTF-8")
	}
	return nil
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.60q is not an RFC 3339 time", s)
	}
	return t.UTC(), nil
}

// parseLabels reads a KeyValueList of strings.
func parseLabels(src []byte, limits Limits) (map[string]string, error) {
	labels := make(map[string]string, 4)
	err := eachMessage(src, 1, func(kv []byte) error {
		key, v, err := parseKeyValue(kv)
		if err != nil {
			return err
		}
		if v.kind != kindString {
			return fmt.Errorf("a label is of type %s, not %s", v.kind, kindString)
		}
		if err := checkString(key, limits); err != nil {
			return fmt.Errorf("a label's name %w", err)
		}
		if err := checkString(v.str, limits); err != nil {
			return fmt.Errorf("label %.60q %w", key, err)
		}
		labels[key] = v.str
		if len(labels) > run.MaxLabels {
			return fmt.Errorf("more than %d labels", run.MaxLabels)
		}
		return nil
	})
	if len(labels) == 0 {
		labels = nil
	}
	return labels, err
}

// kind is the type of an AnyValue: the number of its field, 0 when empty.
type kind uint32

const (
	kindString kind = 1
	kindBool   kind = 2
	kindInt    kind = 3
	kindFloat  kind = 4
	kindArray  kind = 5
	kindMap    kind = 6
)

func (k kind) String() string {
	names := [...]string{"empty", "string", "bool", "int", "double", "array", "kvlist", "bytes"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("AnyValue %d", uint32(k))
}

func kindOf(t run.Type) kind {
	switch t {
	case run.Int:
		return kindInt
	case run.Float:
		return kindFloat
	case run.Bool:
		return kindBool
	case run.Map:
		return kindMap
	}
	return kindString // and run.Time
}

// value is an opentelemetry.proto.common.v1.AnyValue.
type value struct {
	kind  kind
	str   string
	num   int64 // and bool
	float float64
	sub   []byte // an ArrayValue or KeyValueList, not yet read
}

// parseKeyValue reads opentelemetry.proto.common.v1.KeyValue.
func parseKeyValue(src []byte) (key string, v value, err error) {
	var fc easyproto.FieldContext
	for len(src) > 0 {
		if src, err = fc.NextField(src); err != nil {
			return key, v, malformed("attribute: %v", err)
		}
		ok := true
		switch fc.FieldNum {
		case 1:
			key, ok = fc.String()
		case 2:
			var msg []byte
			if msg, ok = fc.MessageData(); ok {
				if v, err = parseValue(msg); err != nil {
					return key, v, err
				}
			}
		}
		if !ok {
			return key, v, malformed("attribute: field %d has a wrong type", fc.FieldNum)
		}
	}
	return key, v, nil
}

func parseValue(src []byte) (v value, err error) {
	var fc easyproto.FieldContext
	for len(src) > 0 {
		if src, err = fc.NextField(src); err != nil {
			return v, malformed("value: %v", err)
		}
		ok := true
		v = value{kind: kind(fc.FieldNum)}
		switch v.kind {
		case kindString:
			v.str, ok = fc.String()
		case kindBool:
			var b bool
			if b, ok = fc.Bool(); b {
				v.num = 1
			}
		case kindInt:
			v.num, ok = fc.Int64()
		case kindFloat:
			v.float, ok = fc.Double()
		case kindArray, kindMap:
			v.sub, ok = fc.MessageData()
		}
		if !ok {
			return v, malformed("value: field %d has a wrong type", fc.FieldNum)
		}
	}
	return v, nil
}
