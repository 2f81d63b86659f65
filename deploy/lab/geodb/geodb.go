// Package geodb writes GeoIP databases of the lab's world: one of the type
// GeoLite2-City and one of the type GeoLite2-ASN, as MaxMind's own are laid
// out, for addresses of 127/8.
package geodb

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"go4.org/netipx"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

// Files are where the databases lie.
type Files struct {
	City string `json:"city"`
	ASN  string `json:"asn"`
}

// Write makes both databases in dir. Agents' networks and the edges' addresses
// are in them, nothing else.
func Write(dir string, w *world.World) (Files, error) {
	files := Files{City: filepath.Join(dir, "lab-city.mmdb"), ASN: filepath.Join(dir, "lab-asn.mmdb")}
	city, err := tree("GeoLite2-City")
	if err != nil {
		return files, err
	}
	asn, err := tree("GeoLite2-ASN")
	if err != nil {
		return files, err
	}
	add := func(p netip.Prefix, where mmdbtype.Map, number uint32, org string) error {
		if err := city.Insert(network(p), where); err != nil {
			return fmt.Errorf("geodb: %v: %w", p, err)
		}
		if err := asn.Insert(network(p), mmdbtype.Map{
			"autonomous_system_number":       mmdbtype.Uint32(number),
			"autonomous_system_organization": mmdbtype.String(org),
		}); err != nil {
			return fmt.Errorf("geodb: %v: %w", p, err)
		}
		return nil
	}
	for _, c := range w.Countries {
		for _, n := range c.Networks {
			if err := add(n.Prefix, place(c.Code, c.Name, c.Place), n.ASN, n.Org); err != nil {
				return files, err
			}
		}
	}
	for _, c := range w.CDNs {
		for _, p := range c.POPs {
			name := p.Country
			if known := w.Country(p.Country); known != nil {
				name = known.Name
			}
			if err := add(netip.PrefixFrom(p.Addr, 24).Masked(), place(p.Country, name, p.Place), c.ASN, c.Org); err != nil {
				return files, err
			}
		}
	}
	if err := save(files.City, city); err != nil {
		return files, err
	}
	return files, save(files.ASN, asn)
}

func tree(kind string) (*mmdbwriter.Tree, error) {
	t, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType:            kind,
		Description:             map[string]string{"en": "Firstframe lab: addresses of 127.0.0.0/8"},
		Languages:               []string{"en"},
		IncludeReservedNetworks: true,
		RecordSize:              24,
	})
	if err != nil {
		return nil, fmt.Errorf("geodb: %s: %w", kind, err)
	}
	return t, nil
}

func network(p netip.Prefix) *net.IPNet { return netipx.PrefixIPNet(p) }

func names(s string) mmdbtype.Map {
	return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(s)}}
}

func place(code, country string, p world.Place) mmdbtype.Map {
	where := names(country)
	where["iso_code"] = mmdbtype.String(code)
	m := mmdbtype.Map{
		"country":  where,
		"city":     names(p.City),
		"location": mmdbtype.Map{"latitude": mmdbtype.Float64(p.Lat), "longitude": mmdbtype.Float64(p.Lon)},
	}
	if p.Subdivision != "" {
		part := names(p.Region)
		part["iso_code"] = mmdbtype.String(p.Subdivision)
		m["subdivisions"] = mmdbtype.Slice{part}
	}
	return m
}

func save(path string, t io.WriterTo) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("geodb: %w", err)
	}
	if _, err := t.WriteTo(f); err != nil {
		f.Close()
		return fmt.Errorf("geodb: %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("geodb: %w", err)
	}
	return nil
}
