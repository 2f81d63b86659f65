package geo

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/probes/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type entries map[string]mmdbtype.Map

func write(t testing.TB, path, kind string, e entries) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true, RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, data := range e {
		_, network, err := net.ParseCIDR(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, data); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func city(country, subdivision, name string) mmdbtype.Map {
	m := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(country)}}
	if subdivision != "" {
		m["subdivisions"] = mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String(subdivision)}}
	}
	if name != "" {
		m["city"] = mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(name)}}
	}
	return m
}

func network(asn uint32, org string) mmdbtype.Map {
	return mmdbtype.Map{
		"autonomous_system_number":       mmdbtype.Uint32(asn),
		"autonomous_system_organization": mmdbtype.String(org),
	}
}

func testDB(t testing.TB) *DB {
	t.Helper()
	dir := t.TempDir()
	marked := city("US", "", "")
	marked["traits"] = mmdbtype.Map{"is_anycast": mmdbtype.Bool(true)}
	db, err := Open(Config{Files: []string{
		write(t, filepath.Join(dir, "city.mmdb"), "GeoLite2-City", entries{
			"203.0.113.0/25":  city("BR", "SP", "São Paulo"),
			"2001:db8::/32":   city("JP", "13", "Tokyo"),
			"198.51.100.0/24": city("DE", "", ""),
			"192.0.2.0/26":    city("US", "FL", "Miami"),
			"192.0.2.64/26":   marked,
			"192.0.2.128/25":  city("US", "", ""),
		}),
		write(t, filepath.Join(dir, "asn.mmdb"), "GeoLite2-ASN", entries{
			"203.0.113.0/24": network(28573, "Claro"),
			"192.0.2.0/26":   network(20940, "Akamai"),
			"192.0.2.64/26":  network(64500, "Somebody"),
			"192.0.2.128/27": network(13335, "Cloudflare"),
			"192.0.2.192/26": network(15169, "Google"),
		}),
		write(t, filepath.Join(dir, "country.mmdb"), "GeoIP2-Country", entries{
			"203.0.113.0/24": city("AR", "", ""),
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestLocate(t *testing.T) {
	db := testDB(t)
	for _, c := range []struct {
		name, addr string
		want       Place
	}{
		{"city and network", "203.0.113.7", Place{"BR", "BR-SP", "São Paulo", 28573, "Claro", false}},
		{"mapped into IPv6", "::ffff:203.0.113.7", Place{"BR", "BR-SP", "São Paulo", 28573, "Claro", false}},
		{"only the second place database knows it", "203.0.113.200", Place{Country: "AR", ASN: 28573, ASOrg: "Claro"}},
		{"IPv6 with a zone", "2001:db8::1%eth0", Place{Country: "JP", Subdivision: "JP-13", City: "Tokyo"}},
		{"country alone", "198.51.100.1", Place{Country: "DE"}},
		{"unknown", "100.64.0.1", Place{}},
	} {
		if diff := cmp.Diff(c.want, db.Locate(netip.MustParseAddr(c.addr))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if got := db.Locate(netip.Addr{}); got != (Place{}) {
		t.Errorf("no address: %+v", got)
	}
}

func TestEnrich(t *testing.T) {
	db := testDB(t)
	asn := int64(64511)
	brazil := db.Locate(netip.MustParseAddr("203.0.113.7"))
	for _, c := range []struct {
		name     string
		run      run.Run
		from     Origin
		want     run.Run
		mismatch bool
	}{
		{
			name: "nothing known",
		},
		{
			name: "claim alone", run: run.Run{Country: "fr", City: "Lyon", ASN: &asn, ASOrg: "Mine"},
			want: run.Run{Country: "FR", CountryFrom: FromClaimed, City: "Lyon", ASN: &asn, ASOrg: "Mine"},
		},
		{
			name: "a claim that is no country", run: run.Run{Country: "Frankreich", CountryFrom: FromRegistered},
		},
		{
			name: "geoip before a claim that differs", run: run.Run{Country: "FR", City: "Lyon", ASN: &asn},
			from: Origin{Seen: brazil}, mismatch: true,
			want: run.Run{Country: "BR", CountryFrom: FromGeoIP, Subdivision: "BR-SP", City: "São Paulo",
				ASN: known(28573), ASOrg: "Claro"},
		},
		{
			name: "registered before geoip, which fills in", from: Origin{Registered: Place{Country: "BR"}, Seen: brazil},
			want: run.Run{Country: "BR", CountryFrom: FromRegistered, Subdivision: "BR-SP", City: "São Paulo",
				ASN: known(28573), ASOrg: "Claro"},
		},
		{
			name: "registered before geoip, which differs",
			from: Origin{Registered: Place{Country: "CL", City: "Arica"}, Seen: brazil}, mismatch: true,
			want: run.Run{Country: "CL", CountryFrom: FromRegistered, City: "Arica", ASN: known(28573), ASOrg: "Claro"},
		},
		{
			name: "edge: network and place", run: run.Run{EdgeIP: "192.0.2.1"},
			want: run.Run{EdgeIP: "192.0.2.1", EdgeASN: known(20940), CDNSeen: "akamai", POPCountry: "US", POPCity: "Miami"},
		},
		{
			name: "edge: the city alone is missing", run: run.Run{EdgeIP: "192.0.2.1", POPCountry: "US"},
			want: run.Run{EdgeIP: "192.0.2.1", EdgeASN: known(20940), CDNSeen: "akamai", POPCountry: "US", POPCity: "Miami"},
		},
		{
			name: "edge: the POP's city is known better", run: run.Run{EdgeIP: "192.0.2.1", POPCountry: "US", POPCity: "Tampa"},
			want: run.Run{EdgeIP: "192.0.2.1", EdgeASN: known(20940), CDNSeen: "akamai", POPCountry: "US", POPCity: "Tampa"},
		},
		{
			name: "edge: the POP is known better", run: run.Run{EdgeIP: "192.0.2.1", POPCountry: "BR"},
			want: run.Run{EdgeIP: "192.0.2.1", EdgeASN: known(20940), CDNSeen: "akamai", POPCountry: "BR"},
		},
		{
			name: "edge: the answers show another CDN than its network", run: run.Run{EdgeIP: "192.0.2.1", CDNSeen: "fastly", POP: "GRU", POPCountry: "BR", SegmentCacheStatus: run.CacheHit},
			want: run.Run{EdgeIP: "192.0.2.1", EdgeASN: known(20940), CDNSeen: "fastly", POP: "GRU", POPCountry: "BR", SegmentCacheStatus: run.CacheHit},
		},
		{
			name: "edge: the answers show a program behind it", run: run.Run{EdgeIP: "192.0.2.1", CDNSeen: "varnish", SegmentCacheStatus: run.CacheHit},
			want: run.Run{EdgeIP: "192.0.2.1", EdgeASN: known(20940), CDNSeen: "akamai", POPCountry: "US", POPCity: "Miami", SegmentCacheStatus: run.CacheUnknown},
		},
		{
			name: "edge: a cache by its network alone", run: run.Run{EdgeIP: "192.0.2.129", SegmentCacheStatus: run.CacheHit},
			want: run.Run{EdgeIP: "192.0.2.129", EdgeASN: known(13335), CDNSeen: "cloudflare", SegmentCacheStatus: run.CacheHit},
		},
		{
			name: "edge: a network of servers of all kinds", run: run.Run{EdgeIP: "192.0.2.200", CDNSeen: "nginx"},
			want: run.Run{EdgeIP: "192.0.2.200", EdgeASN: known(15169), CDNSeen: "nginx"},
		},
		{
			name: "edge: marked as anycast", run: run.Run{EdgeIP: "192.0.2.65"},
			want: run.Run{EdgeIP: "192.0.2.65", EdgeASN: known(64500)},
		},
		{
			name: "edge: an anycast network", run: run.Run{EdgeIP: "192.0.2.129"},
			want: run.Run{EdgeIP: "192.0.2.129", EdgeASN: known(13335), CDNSeen: "cloudflare"},
		},
		{
			name: "edge: an anycast CDN by its headers", run: run.Run{EdgeIP: "198.51.100.9", CDNSeen: "cloudflare"},
			want: run.Run{EdgeIP: "198.51.100.9", CDNSeen: "cloudflare"},
		},
		{
			name: "edge: no anycast CDN by its headers", run: run.Run{EdgeIP: "198.51.100.9", CDNSeen: "akamai"},
			want: run.Run{EdgeIP: "198.51.100.9", CDNSeen: "akamai", POPCountry: "DE"},
		},
		{
			name: "edge: not an address", run: run.Run{EdgeIP: "edge.example"},
			want: run.Run{EdgeIP: "edge.example"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.run
			if m := db.Enrich(&got, c.from); m != c.mismatch {
				t.Errorf("mismatch %t, want %t", m, c.mismatch)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.mmdb")
	if err := os.WriteFile(garbage, []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none.mmdb"), "none.mmdb"},
		{"garbage", garbage, "garbage.mmdb"},
		{"of another kind", write(t, filepath.Join(dir, "d.mmdb"), "GeoIP2-Domain", nil), "GeoIP2-Domain holds neither"},
	} {
		if _, err := Open(Config{Files: []string{c.path}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that names %q", c.name, err, c.want)
		}
	}
}

func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	write(t, path, "GeoLite2-City", entries{"203.0.113.0/24": city("BR", "", "")})
	db, err := Open(Config{Files: []string{path}, Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { db.Watch(ctx); close(done) }()
	defer func() { cancel(); <-done }()

	addr := netip.MustParseAddr("203.0.113.7")
	write(t, path, "GeoLite2-City", entries{"203.0.113.0/24": city("CL", "", "")})
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); db.Locate(addr).Country != "CL"; {
		if time.Now().After(deadline) {
			t.Fatalf("still %q after 10 s", db.Locate(addr).Country)
		}
		time.Sleep(time.Millisecond)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	db.reload(map[string]string{})
	if got := db.Locate(addr).Country; got != "CL" {
		t.Errorf("a broken file replaced a good one: country %q", got)
	}
}

func TestClientIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		trusted    []netip.Prefix
		want       string
	}{
		{"no proxy is trusted", "10.0.0.1", []string{"203.0.113.7"}, nil, "10.0.0.1"},
		{"peer is not trusted", "198.51.100.1", []string{"203.0.113.7"}, trusted, "198.51.100.1"},
		{"one proxy", "10.0.0.1", []string{"203.0.113.7"}, trusted, "203.0.113.7"},
		{"mapped peer", "::ffff:10.0.0.1", []string{"203.0.113.7"}, trusted, "203.0.113.7"},
		{"two proxies, forged first", "10.0.0.1", []string{"1.1.1.1, 203.0.113.7, 10.9.9.9"}, trusted, "203.0.113.7"},
		{"two headers", "10.0.0.1", []string{"1.1.1.1", "203.0.113.7"}, trusted, "203.0.113.7"},
		{"all trusted", "10.0.0.1", []string{"10.0.0.3,10.0.0.2"}, trusted, "10.0.0.3"},
		{"garbage", "10.0.0.1", []string{"203.0.113.7, unknown"}, trusted, "10.0.0.1"},
		{"with ports", "10.0.0.1", []string{"[2001:db8::5]:443, 10.0.0.2:80"}, trusted, "2001:db8::5"},
		{"empty", "10.0.0.1", []string{""}, trusted, "10.0.0.1"},
	} {
		got := ClientIP(netip.MustParseAddr(c.peer), c.forwarded, c.trusted)
		if got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func FuzzClientIP(f *testing.F) {
	f.Add("203.0.113.7, 10.0.0.2:80")
	f.Add("[2001:db8::5]:443,[::1")
	f.Add(",,,")
	trusted := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	f.Fuzz(func(t *testing.T, header string) {
		if got := ClientIP(netip.MustParseAddr("10.0.0.1"), []string{header}, trusted); !got.IsValid() || got.Zone() != "" {
			t.Errorf("%q gave %v", header, got)
		}
	})
}

func BenchmarkEnrich(b *testing.B) {
	db := testDB(b)
	from := Origin{Seen: db.Locate(netip.MustParseAddr("203.0.113.7"))}
	b.ReportAllocs()
	for b.Loop() {
		r := run.Run{EdgeIP: "192.0.2.1"}
		db.Enrich(&r, from)
		if r.POPCountry != "US" {
			b.Fatal(r.POPCountry)
		}
	}
}
