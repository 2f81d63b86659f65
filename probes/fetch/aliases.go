package fetch

import (
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// MaxAliases bounds [Exchange].Aliases, and so what is believed of a DNS answer.
const MaxAliases = 16

// maxAliased bounds the hosts whose aliases a client keeps.
const maxAliased = 256

// aliases are the names that DNS has led hosts through. The zero value has none.
type aliases struct {
	mu    sync.Mutex
	chain map[string][]string // by the name asked for, without the dot at its end
}

// learn notes the chain of CNAMEs in a DNS answer. What is no answer, or has
// none, is passed over; so is one over TCP that does not come in one piece.
func (a *aliases) learn(message []byte) {
	host, chain := aliasesIn(message)
	if len(chain) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.chain == nil {
		a.chain = map[string][]string{}
	}
	// Both families of addresses are asked for: the longer chain says more.
	if len(a.chain[host]) < len(chain) && (a.chain[host] != nil || len(a.chain) < maxAliased) {
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

// aliasesIn is the name that a DNS answer is about and the names that its
// CNAMEs lead it through, in order, without the dots at their ends.
func aliasesIn(message []byte) (host string, chain []string) {
	var m dnsmessage.Message
	if m.Unpack(message) != nil || !m.Response || len(m.Questions) != 1 {
		return "", nil
	}
	to := map[string]string{}
	for i := range m.Answers {
		if c, ok := m.Answers[i].Body.(*dnsmessage.CNAMEResource); ok {
			to[hostname(m.Answers[i].Header.Name)] = hostname(c.CNAME)
		}
	}
	host = hostname(m.Questions[0].Name)
	for at := to[host]; at != "" && at != host && len(chain) < MaxAliases && !slices.Contains(chain, at); at = to[at] {
		chain = append(chain, at)
	}
	return host, chain
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
