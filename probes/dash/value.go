package dash

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// number is an integer attribute.
type number struct {
	n   int64
	set bool
}

// UnmarshalXMLAttr reads an integer; white space around it, an empty value (as
// if absent) and a fraction of zero are let pass.
func (v *number) UnmarshalXMLAttr(a xml.Attr) error {
	s := strings.TrimSpace(a.Value)
	if s == "" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return fmt.Errorf("%s is not an integer: %s", a.Name.Local, clip(a.Value))
		}
		n = int64(f)
	}
	v.n, v.set = n, true
	return nil
}

// or is the value, other when it is absent.
func (v number) or(other int64) int64 {
	if v.set {
		return v.n
	}
	return other
}

// span is a duration attribute.
type span struct {
	d   time.Duration
	set bool
}

// UnmarshalXMLAttr reads an xs:duration.
func (v *span) UnmarshalXMLAttr(a xml.Attr) error {
	if strings.TrimSpace(a.Value) == "" {
		return nil
	}
	d, err := parseDuration(a.Value)
	if err != nil {
		return fmt.Errorf("%s %w", a.Name.Local, err)
	}
	v.d, v.set = d, true
	return nil
}

func (v span) ptr() *time.Duration {
	if !v.set {
		return nil
	}
	return &v.d
}

// instant is a dateTime attribute.
type instant struct{ t time.Time }

// UnmarshalXMLAttr reads an xs:dateTime.
func (v *instant) UnmarshalXMLAttr(a xml.Attr) error {
	s := strings.TrimSpace(a.Value)
	if s == "" {
		return nil
	}
	t, err := ParseDateTime(s)
	if err != nil {
		return fmt.Errorf("%s %w", a.Name.Local, err)
	}
	v.t = t
	return nil
}

// offset is a number of seconds, or INF.
type offset struct{ d time.Duration }

// UnmarshalXMLAttr reads decimal seconds.
func (v *offset) UnmarshalXMLAttr(a xml.Attr) error {
	s := strings.TrimSpace(a.Value)
	if s == "" {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || math.IsNaN(f) || f < 0:
		return fmt.Errorf("%s is not a number of seconds: %s", a.Name.Local, clip(a.Value))
	case f > maxSpan.Seconds():
		v.d = Inf
	default:
		v.d = time.Duration(math.Round(f * 1e9))
	}
	return nil
}

func addOffsets(a, b time.Duration) time.Duration {
	if a == Inf || b == Inf {
		return Inf
	}
	return a + b
}

// maxSpan bounds every duration, so that the few that are added never overflow.
const maxSpan = 100 * 365 * 24 * time.Hour

// durationUnits are the designators of an xs:duration in their order, before and
// after the T. A year is 365 days, a month 30: neither occurs in earnest.
var durationUnits = [2]struct {
	names string
	units []time.Duration
}{
	{"YMWD", []time.Duration{365 * 24 * time.Hour, 30 * 24 * time.Hour, 7 * 24 * time.Hour, 24 * time.Hour}},
	{"HMS", []time.Duration{time.Hour, time.Minute, time.Second}},
}

// parseDuration reads an xs:duration (XML Schema part 2, 3.2.6) that is not
// negative. Fractions are let pass in any place.
func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("is not a duration: %s", clip(s))
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), "P")
	if !ok || rest == "" {
		return 0, bad
	}
	date, clock, hasClock := strings.Cut(rest, "T")
	if hasClock && clock == "" {
		return 0, bad
	}
	var total time.Duration
	for i, part := range [2]string{date, clock} {
		names := durationUnits[i].names
		first := 0
		for part != "" {
			n := strings.IndexAny(part, names)
			if n <= 0 {
				return 0, bad
			}
			unit := strings.IndexByte(names, part[n])
			d, err := times(part[:n], durationUnits[i].units[unit])
			if err != nil || unit < first {
				return 0, bad
			}
			if total += d; total > maxSpan {
				return 0, bad
			}
			first, part = unit+1, part[n+1:]
		}
	}
	return total, nil
}

// times is the decimal number s of units, exact to the nanosecond.
func times(s string, unit time.Duration) (time.Duration, error) {
	whole, fraction, _ := strings.Cut(strings.Replace(s, ",", ".", 1), ".")
	n, err := strconv.ParseUint("0"+whole, 10, 63)
	if err != nil || whole+fraction == "" || n > uint64(maxSpan/unit) {
		return 0, fmt.Errorf("not a number: %s", clip(s))
	}
	d := time.Duration(n) * unit
	if fraction == "" {
		return d, nil
	}
	f, err := strconv.ParseUint(fraction[:min(len(fraction), 18)], 10, 63)
	if err != nil {
		return 0, fmt.Errorf("not a number: %s", clip(s))
	}
	part := float64(f) / math.Pow10(min(len(fraction), 18)) * float64(unit)
	return d + time.Duration(math.Round(part)), nil
}

// dateTimes are the forms of xs:dateTime that occur.
var dateTimes = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02Z07:00", "2006-01-02",
}

// ParseDateTime reads an xs:dateTime, as MPDs and http-iso and http-xsdate clocks
// hold it. Without a zone it is UTC (5.3.1.2, table 3).
func ParseDateTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range dateTimes {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("is not a date and time: %s", clip(s))
}

// frameRate reads n or n/d (5.3.7.2); what cannot be read is 0.
func frameRate(s string) float64 {
	n, d, ok := strings.Cut(strings.TrimSpace(s), "/")
	num, err := strconv.ParseFloat(n, 64)
	if err != nil || !(num >= 0) || math.IsInf(num, 0) {
		return 0
	}
	if !ok {
		return num
	}
	den, err := strconv.ParseFloat(d, 64)
	if err != nil || !(den >= 1) || math.IsInf(den, 0) {
		return 0
	}
	return num / den
}

// parseRange reads first-last (RFC 9110 section 14.1.2); empty is the whole.
func parseRange(s string) (ByteRange, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return ByteRange{}, nil
	}
	a, b, ok := strings.Cut(strings.TrimPrefix(s, "bytes="), "-")
	first, err1 := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
	last, err2 := strconv.ParseInt(strings.TrimSpace(b), 10, 64)
	if !ok || err1 != nil || err2 != nil || first < 0 || last < first || last == math.MaxInt64 {
		return ByteRange{}, fmt.Errorf("not a byte range: %s", clip(s))
	}
	return ByteRange{Offset: first, Length: last - first + 1}, nil
}

// clip quotes s for a message, its first bytes when it is long.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
