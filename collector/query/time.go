package query

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Time is an end of a request's range: an instant, or, while Abs is zero, so
// long before now. The zero value is now.
type Time struct {
	Abs time.Time
	Ago time.Duration // whole milliseconds, not negative
}

// At is the instant t.
func At(t time.Time) Time { return Time{Abs: t.UTC()} }

// Ago is the instant d before now.
func Ago(d time.Duration) Time { return Time{Ago: d} }

// ParseTime reads an RFC 3339 instant, now, or now-DURATION in the notation of
// [ParseDuration].
func ParseTime(s string) (Time, error) {
	if s == "now" {
		return Time{}, nil
	}
	if d, ok := strings.CutPrefix(s, "now-"); ok {
		ago, err := ParseDuration(d)
		return Time{Ago: ago}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.IsZero() {
		return Time{}, fmt.Errorf("%.60q is neither an RFC 3339 time, nor now, nor now-DURATION such as now-24h", s)
	}
	return At(t), nil
}

// In is the instant that t stands for at now, in UTC.
func (t Time) In(now time.Time) time.Time {
	if t.Abs.IsZero() {
		return now.Add(-t.Ago).UTC()
	}
	return t.Abs.UTC()
}

// String is t as ParseTime reads it.
func (t Time) String() string {
	switch {
	case !t.Abs.IsZero():
		return t.Abs.UTC().Format(time.RFC3339Nano)
	case t.Ago == 0:
		return "now"
	}
	return "now-" + Duration(t.Ago).String()
}

// MarshalText is String.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is ParseTime.
func (t *Time) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTime(string(text))
	return err
}

// Duration is a time.Duration that is written as [ParseDuration] reads it.
type Duration time.Duration

var units = []struct {
	name string
	unit time.Duration
}{
	{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour},
	{"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

var errDuration = errors.New("want whole numbers with the units w, d, h, m, s and ms, such as 5m or 1h30m")

// ParseDuration reads whole numbers with units, each unit once and the largest
// first: 5m, 24h, 1d12h. A day is 24 hours, a week 7 days; at most ten years.
func ParseDuration(s string) (time.Duration, error) {
	const most = 3660 * 24 * time.Hour
	var total time.Duration
	rest := s
	for _, u := range units {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		tail, ok := strings.CutPrefix(rest[digits:], u.name)
		if digits == 0 || !ok || u.name == "m" && strings.HasPrefix(tail, "s") {
			continue
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil || n > int64(most/u.unit) || total+time.Duration(n)*u.unit > most {
			return 0, fmt.Errorf("duration %.40q is longer than ten years", s)
		}
		total += time.Duration(n) * u.unit
		rest = tail
	}
	if s == "" || rest != "" {
		return 0, fmt.Errorf("duration %.40q: %w", s, errDuration)
	}
	return total, nil
}

// String is d as ParseDuration reads it; less than a millisecond is cut off.
func (d Duration) String() string {
	var b strings.Builder
	rest := time.Duration(d)
	for _, u := range units {
		if n := rest / u.unit; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteString(u.name)
			rest -= n * u.unit
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Offset is how far a period lies before another one, written with a minus
// before it, as in -7d.
type Offset time.Duration

// MarshalText is o as UnmarshalText reads it.
func (o Offset) MarshalText() ([]byte, error) { return []byte("-" + Duration(o).String()), nil }

// UnmarshalText reads a minus and what [ParseDuration] reads.
func (o *Offset) UnmarshalText(text []byte) error {
	d, ok := strings.CutPrefix(string(text), "-")
	if !ok {
		return fmt.Errorf("offset %.40q: want a duration with a minus before it, such as -7d", text)
	}
	v, err := ParseDuration(d)
	*o = Offset(v)
	return err
}
