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

// Enrich fills in r where its agent is, and the network, CDN and place of the
// edge that served it, as far as the answers did not show them. It says whether two sources of the agent's country
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

// edge fills in the edge's network, by which its CDN may be known; and its
// country and city where they are not known from the point of presence and the
// address is at one place.
func (db *DB) edge(r *run.Run) {
	addr, err := netip.ParseAddr(r.EdgeIP)
	if err != nil {
		return
	}
	p := db.Locate(addr)
	if p.ASN != 0 {
		r.EdgeASN = known(p.ASN)
		seenByNetwork(r, cdnOf(p.ASN))
	}
	if anycast(p, r.CDNSeen) {
		return
	}
	r.POPCountry = cmp.Or(r.POPCountry, p.Country)
	if r.POPCountry == p.Country {
		r.POPCity = cmp.Or(r.POPCity, p.City)
	}
}

// seenByNetwork takes the CDN of the edge's network where the answers show
// none, or no more than a program: that runs behind the edge then, and says
// nothing of the edge's own place and cache.
func seenByNetwork(r *run.Run, cdn string) {
	switch {
	case cdn == "":
	case r.CDNSeen == "":
		r.CDNSeen = cdn
	case software[r.CDNSeen]:
		r.CDNSeen, r.POP = cdn, ""
		if r.SegmentCacheStatus != "" {
			r.SegmentCacheStatus = run.CacheUnknown
		}
	}
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
