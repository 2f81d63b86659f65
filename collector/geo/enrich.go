package geo

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// The values of country_from, the most trusted first.
const (
	FromRegistered = "registered" // the agent's entry at the collector
	FromGeoIP      = "geoip"      // the address it sends from
	FromClaimed    = "claimed"    // what it says of itself
)

// Origin is what the collector knows of a run's agent by itself.
type Origin struct {
	Registered Place // the agent's entry, empty where it has none
	Seen       Place // of the address that the run was sent from, see [DB.Locate]
}

// Enrich fills in r where its agent is, and the network and country of the
// edge that served it. It says whether two sources of the agent's country
// contradict each other.
//
// Country, subdivision and city are taken together from the best source that
// has a country; a less trusted one that agrees on the country fills in what
// is missing.
func (db *DB) Enrich(r *run.Run, from Origin) (mismatch bool) {
	claimed := Place{Country: country(r.Country), Subdivision: r.Subdivision, City: r.City, ASOrg: r.ASOrg}
	if r.ASN != nil {
		claimed.ASN = *r.ASN
	}
	var p Place
	r.CountryFrom = ""
	for _, s := range []struct {
		name string
		Place
	}{{FromRegistered, from.Registered}, {FromGeoIP, from.Seen}, {FromClaimed, claimed}} {
		if p.ASN == 0 {
			p.ASN, p.ASOrg = s.ASN, s.ASOrg
		}
		switch {
		case s.Country == "":
		case p.Country == "":
			p.Country, p.Subdivision, p.City = s.Country, s.Subdivision, s.City
			r.CountryFrom = s.name
		case p.Country != s.Country:
			mismatch = true
		case p.Subdivision == "" && p.City == "":
			p.Subdivision, p.City = s.Subdivision, s.City
		}
	}
	r.Country, r.Subdivision, r.City = p.Country, p.Subdivision, p.City
	r.ASN, r.ASOrg = known(p.ASN), p.ASOrg
	db.edge(r)
	return mismatch
}

// edge fills in the edge's network, and its country and city where they are not
// known from the point of presence and the address is at one place.
func (db *DB) edge(r *run.Run) {
	addr, err := netip.ParseAddr(r.EdgeIP)
	if err != nil {
		return
	}
	p := db.Locate(addr)
	if p.ASN != 0 {
		r.EdgeASN = known(p.ASN)
	}
	if anycast(p, r.CDNSeen) {
		return
	}
	r.POPCountry = cmp.Or(r.POPCountry, p.Country)
	if r.POPCountry == p.Country {
		r.POPCity = cmp.Or(r.POPCity, p.City)
	}
}

// anycastASNs are networks that announce their edges' addresses from many
// places at once, by their own documentation as of 2026. Akamai and
// CloudFront, which choose the place by DNS, are not among them. A network of
// which only a part is anycast counts as a whole: no country is better than a
// wrong one.
var anycastASNs = map[int64]string{
	13335:  "cloudflare",
	209242: "cloudflare",
	54113:  "fastly",
	15169:  "google",
	396982: "google",
	8075:   "azure", // Front Door
	8068:   "azure",
	15133:  "edgio",
	19551:  "imperva",
	12989:  "stackpath",
	33438:  "stackpath",
	199524: "gcore",
}

// anycastCDNs are the same by the name that the answers' headers show, for
// addresses whose network is not known.
var anycastCDNs = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range anycastASNs {
		m[name] = true
	}
	return m
}()

// anycast decides, in this order: the database's own mark; the address's
// network; where that is not known, the CDN that the headers show.
func anycast(p Place, cdnSeen string) bool {
	if p.Anycast {
		return true
	}
	if p.ASN != 0 {
		_, ok := anycastASNs[p.ASN]
		return ok
	}
	return anycastCDNs[strings.ToLower(cdnSeen)]
}

// country is code in upper case, empty when it is not two letters.
func country(code string) string {
	if len(code) != 2 {
		return ""
	}
	code = strings.ToUpper(code)
	if code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
		return ""
	}
	return code
}

func known(asn int64) *int64 {
	if asn == 0 {
		return nil
	}
	return &asn
}
