package geodb

import (
	"net/netip"
	"testing"

	"github.com/oschwald/geoip2-golang/v2"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

// Every agent and every edge is found, as a reader of MaxMind's files finds it.
func TestReadBack(t *testing.T) {
	w := world.Default()
	files, err := Write(t.TempDir(), w)
	if err != nil {
		t.Fatal(err)
	}
	city, err := geoip2.Open(files.City)
	if err != nil {
		t.Fatal(err)
	}
	defer city.Close()
	asn, err := geoip2.Open(files.ASN)
	if err != nil {
		t.Fatal(err)
	}
	defer asn.Close()
	check := func(a netip.Addr, country string, p world.Place, number uint32, org string) {
		t.Helper()
		c, err := city.City(a)
		if err != nil {
			t.Fatal(err)
		}
		if c.Country.ISOCode != country || c.City.Names.English != p.City || len(c.Subdivisions) != 1 || c.Subdivisions[0].ISOCode != p.Subdivision {
			t.Errorf("%v: %+v", a, c)
		}
		n, err := asn.ASN(a)
		if err != nil {
			t.Fatal(err)
		}
		if n.AutonomousSystemNumber != uint(number) || n.AutonomousSystemOrganization != org {
			t.Errorf("%v: %+v", a, n)
		}
	}
	for _, c := range w.Countries {
		for _, n := range c.Networks {
			for _, a := range n.Agents {
				check(a.Addr, c.Code, c.Place, n.ASN, n.Org)
			}
		}
	}
	for _, c := range w.CDNs {
		for _, p := range c.POPs {
			check(p.Addr, p.Country, p.Place, c.ASN, c.Org)
		}
	}
	if c, err := city.City(netip.MustParseAddr("127.0.0.1")); err != nil || c.HasData() {
		t.Errorf("127.0.0.1: %+v, %v", c, err)
	}
	if m := city.Metadata(); m.DatabaseType != "GeoLite2-City" {
		t.Error(m.DatabaseType)
	}
	if m := asn.Metadata(); m.DatabaseType != "GeoLite2-ASN" {
		t.Error(m.DatabaseType)
	}
}

func TestWriteFails(t *testing.T) {
	if _, err := Write(t.TempDir()+"/none", world.Default()); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}
