package fetch

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseAltSvc(t *testing.T) {
	for _, tt := range []struct {
		name, value, address string
		age                  time.Duration
		clear                bool
	}{
		{"usual", `h3=":443"; ma=86400`, "a.example:443", 24 * time.Hour, false},
		{"without an age", `h3=":443"`, "a.example:443", defaultMaxAge, false},
		{"several, drafts first", `h3-29=":443"; ma=60, h2=":8443", h3=":444"; ma=60; persist=1`, "a.example:444", time.Minute, false},
		{"the host named", `h3="A.example:443";ma="5"`, "a.example:443", 5 * time.Second, false},
		{"the protocol escaped", `%68%33=":443"`, "a.example:443", defaultMaxAge, false},
		{"a comma in quotes", `h2="a,b:1", h3=":443"`, "a.example:443", defaultMaxAge, false},
		{"another host", `h3="b.example:443"`, "", 0, false},
		{"another host first", `h3="b.example:443", h3=":443"`, "a.example:443", defaultMaxAge, false},
		{"anyone's port", `h3=":1024"`, "", 0, false},
		{"port 0", `h3=":0"`, "", 0, false},
		{"no port", `h3=""`, "", 0, false},
		{"too large a port", `h3=":99999"`, "", 0, false},
		{"clear", `clear`, "", 0, true},
		{"expired", `h3=":443"; ma=0`, "a.example:443", 0, false},
		{"an age that is none", `h3=":443"; ma=-1`, "a.example:443", defaultMaxAge, false},
		{"empty", ``, "", 0, false},
		{"only separators", `,;,=;"`, "", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address, age, clear := parseAltSvc("a.example:443", tt.value)
			if address != tt.address || age != tt.age || clear != tt.clear {
				t.Errorf("%q %v %v, want %q %v %v", address, age, clear, tt.address, tt.age, tt.clear)
			}
		})
	}
	if address, _, _ := parseAltSvc("a.example:8443", `h3=":9443"`); address != "a.example:9443" {
		t.Errorf("from one port that is anyone's to another: %q", address)
	}
}

// What is known ages, is replaced and cleared, and is left alone for a while
// once it failed.
func TestAltSvc(t *testing.T) {
	const origin = "a.example:443"
	now := time.Now()
	var a AltSvc
	is := func(after time.Duration, want string) {
		t.Helper()
		if got, _ := a.of(origin, now.Add(after)); got != want {
			t.Errorf("%v later: %q, want %q", after, got, want)
		}
	}
	is(0, "")
	a.learn(origin, []string{`h3=":443"; ma=3600`}, now)
	is(0, origin)
	is(time.Hour+time.Second, "")
	a.learn(origin, nil, now) // an answer without the header changes nothing
	is(0, origin)
	a.tried(origin, false, now)
	is(brokenFor-time.Second, "")
	is(brokenFor+time.Second, origin)
	a.learn(origin, []string{`h3=":443"; ma=3600`}, now) // to be offered again mends nothing
	is(0, "")
	a.learn(origin, []string{`h3=":444"; ma=3600`}, now)
	is(0, "a.example:444")
	if _, proven := a.of(origin, now); proven {
		t.Error("QUIC is said to work before it did")
	}
	a.tried(origin, true, now)
	if _, proven := a.of(origin, now); !proven {
		t.Error("QUIC worked, and is not said to")
	}
	a.learn(origin, []string{`h2=":443"`}, now) // what is not offered any more is gone
	is(0, "")
	a.learn(origin, []string{`h3=":443"`}, now)
	a.learn(origin, []string{"clear"}, now)
	is(0, "")
	for i := range 2 * maxAltSvc {
		a.learn(fmt.Sprintf("%d.example:443", i), []string{`h3=":443"`}, now)
	}
	if a.Len() != maxAltSvc {
		t.Errorf("%d origins remembered, want at most %d", a.Len(), maxAltSvc)
	}
}

// FuzzAltSvc reads any field value: an alternative is on the origin's host, on
// a port, and for a time that is not negative.
func FuzzAltSvc(f *testing.F) {
	for _, seed := range []string{`h3=":443"; ma=86400`, `h3-29=":443",h3="a.example:443"; persist=1`, "clear",
		`h3="\":443"`, `h3=":443`, `%hz=":1"`, `h3=":443"; ma="`, `;;,,==""\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		address, age, clear := parseAltSvc("a.example:443", value)
		if address != "" && !strings.HasPrefix(address, "a.example:") || age < 0 || clear && address != "" {
			t.Errorf("%q: %q %v %v", value, address, age, clear)
		}
	})
}
