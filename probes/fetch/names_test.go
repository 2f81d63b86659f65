package fetch

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// dnsAnswer is an answer about name with these aliases, each "FROM TO".
func dnsAnswer(t testing.TB, name string, cnames ...string) []byte {
	t.Helper()
	m := new(dns.Msg).SetReply(new(dns.Msg).SetQuestion(name, dns.TypeA))
	for _, c := range cnames {
		from, to, _ := strings.Cut(c, " ")
		rr, err := dns.NewRR(from + " 1 IN CNAME " + to)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestNamesIn(t *testing.T) {
	var long []string
	for i := range 40 {
		long = append(long, fmt.Sprintf("n%d. n%d.", i, i+1))
	}
	for _, tt := range []struct {
		name  string
		about string
		given []string
		want  string
	}{
		{"none", "a.example.", nil, ""},
		{"only addresses", "a.example.", []string{"b.net. c.net."}, "a.example"},
		{"one", "A.Example.", []string{"a.example. X.CloudFront.net."}, "a.example x.cloudfront.net"},
		{"a chain, in any order", "a.example.", []string{"c.net. d.net.", "b.net. c.net.", "a.example. b.net."}, "a.example b.net c.net d.net"},
		{"a loop", "a.example.", []string{"a.example. b.net.", "b.net. a.example."}, "a.example b.net"},
		{"a loop further on", "a.example.", []string{"a.example. b.net.", "b.net. c.net.", "c.net. b.net."}, "a.example b.net c.net"},
		{"to itself", "a.example.", []string{"a.example. a.example."}, "a.example"},
		{"bytes that no host has", "a.example.", []string{`a.example. x\010\027y.net.`}, "a.example"},
		{"too long", "n0.", long, "n0 n1 n2 n3 n4 n5 n6 n7 n8 n9 n10 n11 n12 n13 n14 n15"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(namesIn(dnsAnswer(t, tt.about, tt.given...)), " "); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	query, err := new(dns.Msg).SetQuestion("a.example.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	if chain := namesIn(query); chain != nil {
		t.Errorf("a query has names: %v", chain)
	}
}

// The longer chain stays, and the number of hosts is bounded.
func TestNamesKept(t *testing.T) {
	var a aliases
	a.learn(dnsAnswer(t, "h.example.", "h.example. a.net.", "a.net. b.net."))
	a.learn(dnsAnswer(t, "h.example.", "h.example. a.net."))
	a.learn([]byte("no DNS"))
	for i := range 2 * maxNamed {
		a.learn(dnsAnswer(t, fmt.Sprintf("h%d.example.", i), fmt.Sprintf("h%d.example. x.net.", i)))
	}
	got := a.of(&url.URL{Host: "H.example:443"})
	if !slices.Equal(got, []string{"h.example", "a.net", "b.net"}) || len(a.chain) != maxNamed {
		t.Errorf("%v, of %d hosts", got, len(a.chain))
	}
	got[0] = "changed"
	if a.of(&url.URL{Host: "h.example"})[0] != "h.example" {
		t.Error("what is kept was changed")
	}
}

// FuzzNames: whatever a DNS server says, names are those of hosts, once each,
// and bounded.
func FuzzNames(f *testing.F) {
	f.Add(dnsAnswer(f, "a.example.", "a.example. b.net.", "b.net. c.net."))
	f.Add(dnsAnswer(f, "a.example.", `a.example. x\000.net.`))
	f.Add([]byte{0, 12})
	f.Fuzz(func(t *testing.T, message []byte) {
		chain := namesIn(message)
		if len(chain) > MaxNames {
			t.Errorf("%d names", len(chain))
		}
		for i, name := range chain {
			if name == "" || slices.Contains(chain[:i], name) || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
				t.Errorf("%q of %q", name, chain)
			}
		}
	})
}
