package world

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestDefaultFitsItsPromises(t *testing.T) {
	w := Default()
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	if len(w.Countries) < 6 || len(w.CDNs) != 3 || len(w.Apps) != 3 {
		t.Errorf("%d countries, %d CDNs, %d apps", len(w.Countries), len(w.CDNs), len(w.Apps))
	}
	for _, c := range w.Countries {
		agents := 0
		for _, n := range c.Networks {
			agents += len(n.Agents)
			if c.Code == "BR" && len(n.Agents) != 2 {
				t.Errorf("BR: AS%d has %d agents, want 2", n.ASN, len(n.Agents))
			}
		}
		if agents < 2 {
			t.Errorf("%s has %d agents", c.Code, agents)
		}
	}
}

func TestServe(t *testing.T) {
	w := Default()
	for _, tc := range []struct{ cdn, country, right, wrong string }{
		{"cdn-a", "BR", "GRU", "MIA"},
		{"cdn-b", "BR", "GRU", "MIA"},
		{"cdn-c", "BR", "GIG", "CPT"},
		{"cdn-a", "US", "MIA", "LHR"},
		{"cdn-c", "JP", "KIX", "DEL"},
		{"cdn-b", "ZA", "JNB", "BOM"},
		{"cdn-b", "", "GRU", "MIA"},
	} {
		right, wrong := w.Serve(w.CDN(tc.cdn), tc.country)
		if right.Code != tc.right || wrong.Code != tc.wrong {
			t.Errorf("%s from %q: %s, wrongly %s; want %s, %s", tc.cdn, tc.country, right.Code, wrong.Code, tc.right, tc.wrong)
		}
	}
	w.CDNs[0].Routes = map[string]string{"BR": "FRA"}
	if right, wrong := w.Serve(&w.CDNs[0], "BR"); right.Code != "FRA" || wrong.Code != "GRU" {
		t.Errorf("routed: %s, wrongly %s", right.Code, wrong.Code)
	}
}

func TestLocate(t *testing.T) {
	w := Default()
	for _, tc := range []struct {
		addr string
		want Origin
	}{
		{"127.10.0.10", Origin{"BR", 28573}},
		{"127.10.1.200", Origin{"BR", 27699}},
		{"::ffff:127.12.1.10", Origin{"DE", 3209}},
		{"127.0.0.1", Origin{}},
		{"127.100.1.1", Origin{}},
	} {
		if got := w.Locate(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.addr, got, tc.want)
		}
	}
}

func TestPath(t *testing.T) {
	w := Default()
	gru, mia := &w.CDNs[0].POPs[0], &w.CDNs[0].POPs[1]
	if got := w.Path("BR", gru); got != (Path{12 * time.Millisecond, 25_000}) {
		t.Errorf("BR to GRU: %+v", got)
	}
	// 6 560 km of great circle: 98 ms and the last mile.
	if got := w.Path("BR", mia); got.RTT < 108*time.Millisecond || got.RTT > 113*time.Millisecond {
		t.Errorf("BR to MIA: %v", got.RTT)
	}
	if got := w.Path("", gru); got != (Path{}) {
		t.Errorf("from nowhere: %+v", got)
	}
	w.Paths = map[PathKey]Path{{"BR", gru.Addr}: {RTT: time.Second}}
	if got := w.Path("BR", gru); got != (Path{RTT: time.Second}) {
		t.Errorf("overridden: %+v", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		spoil      func(*World)
	}{
		{"address twice", "already", func(w *World) { w.CDNs[0].POPs[0].Addr = w.CDNs[1].POPs[0].Addr }},
		{"not loopback", "127.0.0.0/8", func(w *World) { w.CDNs[0].POPs[0].Addr = netip.MustParseAddr("10.0.0.1") }},
		{"outside its network", "is not in 127.10.0.0/24", func(w *World) { w.Countries[0].Networks[0].Agents[0].Addr = netip.MustParseAddr("127.99.0.1") }},
		{"one POP", "needs two", func(w *World) { w.CDNs[0].POPs = w.CDNs[0].POPs[:1] }},
		{"same POP twice", "two POPs", func(w *World) { w.CDNs[0].POPs[1].Code = "GRU" }},
		{"route to nowhere", "no such country or POP", func(w *World) { w.CDNs[0].Routes = map[string]string{"BR": "ZZZ"} }},
		{"no domain", "domain", func(w *World) { w.Domain = "" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := Default()
			tc.spoil(w)
			if err := w.Check(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want something with %q", err, tc.want)
			}
		})
	}
}
