package geo

import "strings"

// system is what is known of an autonomous system in which edges are.
type system struct {
	cdn     string // as cdn_seen calls it
	anycast bool   // addresses are announced from many places at once
	shared  bool   // with what is no edge of that CDN, such as its customers' servers
}

// networks are by the CDNs' own documentation and the registries' names, as of
// 2026. The table stands here and not with the headers' rules, because only the
// collector has a database of networks. Akamai and CloudFront, which choose the
// place by DNS, are not anycast. A network of which only a part is anycast
// counts as a whole: no country is better than a wrong one. Nor does a shared
// one show a CDN: in that of CloudFront, which is not among them, are all of
// Amazon's servers. An edge inside an access network, where Akamai and Qwilt
// have many, does not show.
var networks = func() map[int64]system {
	m := map[int64]system{
		6185:   {cdn: "apple"},
		52580:  {cdn: "azion", anycast: true},
		200325: {cdn: "bunny"},
		60068:  {cdn: "cdn77"},
		13335:  {cdn: "cloudflare", anycast: true},
		209242: {cdn: "cloudflare", anycast: true},
		54113:  {cdn: "fastly", anycast: true},
		199524: {cdn: "gcore", anycast: true},
		20253:  {cdn: "qwilt"},
		14907:  {cdn: "wikimedia"},

		15169:  {cdn: "google", anycast: true, shared: true},
		396982: {cdn: "google", anycast: true, shared: true},
		8068:   {cdn: "azure", anycast: true, shared: true}, // Front Door
		8075:   {cdn: "azure", anycast: true, shared: true},

		12989: {cdn: "stackpath", anycast: true, shared: true}, // ended, as the next; whose they are now is not known
		15133: {cdn: "edgio", anycast: true, shared: true},
		19551: {cdn: "imperva", anycast: true, shared: true}, // in front of others' caches
		33438: {cdn: "stackpath", anycast: true, shared: true},
	}
	// Without 63949, which are servers for rent, and 32787, which is in front of
	// others'.
	for _, asn := range []int64{12222, 16625, 16702, 17204, 18680, 18717, 20189, 20940, 21342, 21357, 21399, 22207, 22452, 23454, 23455,
		23903, 24319, 26008, 30675, 31107, 31108, 31109, 31110, 31377, 33047, 33905, 34164, 34850, 35204, 35993, 35994, 36183, 39836,
		43639, 55409, 55770, 133103, 393560} {
		m[asn] = system{cdn: "akamai"}
	}
	for _, asn := range []int64{36408, 38107, 38670, 40366, 43303, 54994} {
		m[asn] = system{cdn: "cdnetworks"}
	}
	return m
}()

// anycastCDNs are those of anycast networks, for addresses whose network is not
// known.
var anycastCDNs = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range networks {
		if n.anycast {
			m[n.cdn] = true
		}
	}
	return m
}()

// anycast decides, in this order: the database's own mark; the address's
// network; where that is not known, the CDN that the answers show.
func anycast(p Place, cdnSeen string) bool {
	if p.Anycast {
		return true
	}
	if p.ASN != 0 {
		return networks[p.ASN].anycast
	}
	return anycastCDNs[strings.ToLower(cdnSeen)]
}

// cdnOf is the CDN of a network that has edges alone, or empty.
func cdnOf(asn int64) string {
	if n := networks[asn]; !n.shared {
		return n.cdn
	}
	return ""
}

// software are the values of cdn_seen that name a program, not whose it is.
var software = map[string]bool{"ats": true, "nginx": true, "souin": true, "varnish": true}
