package fetch

import (
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// MaxNames bounds [Exchange].Names, and so what is believed of a DNS answer.
const MaxNames = 16

// maxNamed bounds the hosts whose names a client keeps.
const maxNamed = 256

// aliases are the names that DNS has led hosts through. The zero value has none.
type aliases struct {
	mu    sync.Mutex
	chain map[string][]string // by the name asked for, which is its first
}

// learn notes the names in a DNS answer. What is no answer, or holds nothing, is
// passed over; so is one over TCP that does not come in one piece.
func (a *aliases) learn(message []byte) {
	chain := namesIn(message)
	if len(chain) == 0 {
		return
	}
	host := chain[0]
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.chain == nil {
		a.chain = map[string][]string{}
	}
	// Both families of addresses are asked for: the longer chain says more.
	if len(a.chain[host]) < len(chain) && (a.chain[host] != nil || len(a.chain) < maxNamed) {
		a.chain[host] = chain
	}
}

// of is a copy of what is known of u's host.
func (a *aliases) of(u *url.URL) []string {
	if u == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.chain[strings.TrimSuffix(canonical(u.Hostname()), ".")])
}

// namesIn are the name that a DNS answer is about and those that its CNAMEs lead
// it through, in order, without the dots at their ends.
func namesIn(message []byte) (chain []string) {
	var m dnsmessage.Message
	if m.Unpack(message) != nil || !m.Response || len(m.Questions) != 1 || len(m.Answers) == 0 {
		return nil
	}
	to := map[string]string{}
	for i := range m.Answers {
		if c, ok := m.Answers[i].Body.(*dnsmessage.CNAMEResource); ok {
			to[hostname(m.Answers[i].Header.Name)] = hostname(c.CNAME)
		}
	}
	for at := hostname(m.Questions[0].Name); at != "" && len(chain) < MaxNames && !slices.Contains(chain, at); at = to[at] {
		chain = append(chain, at)
	}
	return chain
}

// hostname is a name of DNS in lower case, without its last dot; empty where it
// is not one that a host can have: DNS carries any bytes.
func hostname(n dnsmessage.Name) string {
	s := strings.ToLower(strings.TrimSuffix(n.String(), "."))
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return ""
		}
	}
	return s
}
