package run

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lastMilli is the last instant that six bytes of Unix milliseconds can hold,
// in the year 10889.
const lastMilli = 1<<48 - 1

func TestIDKeepsItsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.UnixMilli(rapid.Int64Range(0, lastMilli).Draw(t, "ms")).Add(time.Duration(rapid.IntRange(0, 999_999).Draw(t, "ns")))
		got, err := IDTime(NewID(start))
		if err != nil {
			t.Fatal(err)
		}
		if want := start.Truncate(time.Millisecond); !got.Equal(want) || got.Location() != time.UTC {
			t.Fatalf("time of the id is %v, want %v in UTC", got, want)
		}
	})
}

func TestIDsSortByTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(0, lastMilli-1).Draw(t, "earlier")
		b := rapid.Int64Range(a+1, lastMilli).Draw(t, "later")
		if first, second := NewID(time.UnixMilli(a)), NewID(time.UnixMilli(b)); first >= second {
			t.Fatalf("%s of %d ms is not before %s of %d ms", first, a, second, b)
		}
	})
}

func TestIDsOfOneInstantDiffer(t *testing.T) {
	start := time.UnixMilli(1_763_888_400_000)
	seen := map[string]bool{}
	for range 10_000 {
		id := NewID(start)
		if !strings.HasPrefix(id, "019aaff10680") {
			t.Fatalf("%s does not start with the instant's 12 digits", id)
		}
		seen[id] = true
	}
	if len(seen) != 10_000 {
		t.Errorf("%d different ids of 10000", len(seen))
	}
}

func TestParseID(t *testing.T) {
	const good = "019aafe0ae800123456789abcdef0000"
	b, err := ParseID(good)
	if err != nil || hex.EncodeToString(b[:]) != good {
		t.Errorf("ParseID(%s): %x, %v", good, b, err)
	}
	for name, tt := range map[string]struct{ id, want string }{
		"empty":        {"", "0 characters"},
		"short":        {good[1:], "31 characters"},
		"long":         {good + "0", "33 characters"},
		"upper case":   {strings.ToUpper(good), "'A' is not"},
		"not hex":      {"g" + good[1:], "'g' is not"},
		"a UUID":       {"019aafe0-ae80-0123-4567-89abcdef0000", "36 characters"},
		"not ASCII":    {strings.Repeat("é", 16), "is not a lower-case hex digit"},
		"a NUL inside": {"\x00" + good[1:], "is not a lower-case hex digit"},
		"very long":    {strings.Repeat("0", 1<<20), "1048576 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range []error{errOf(ParseID(tt.id)), errOf(IDTime(tt.id))} {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
				if err != nil && len(err.Error()) > 200 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
			}
		})
	}
}

func errOf[T any](_ T, err error) error { return err }

func FuzzParseID(f *testing.F) {
	f.Add("019aafe0ae800123456789abcdef0000")
	f.Add("019AAFE0AE800123456789ABCDEF0000")
	f.Fuzz(func(t *testing.T, id string) {
		b, err := ParseID(id)
		if err == nil && hex.EncodeToString(b[:]) != id {
			t.Errorf("ParseID(%q) is %x", id, b)
		}
	})
}

func BenchmarkNewID(b *testing.B) {
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		NewID(now)
	}
}
