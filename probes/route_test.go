package probes

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/firstframe/firstframe/probes/player"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

func TestRewrite(t *testing.T) {
	const target = "https://origin.example/live/master.m3u8"
	const guarded = "https://me:p%40ss@origin.example/live/master.m3u8"
	for _, tt := range []struct {
		name, target string
		cdn          run.CDN
		app          run.App
		address      string // "" is the target
		want         string
	}{
		{"no CDN", target, run.CDN{}, run.App{}, "", target},
		{"the target", target, run.CDN{Host: "a.cdn.example"}, run.App{}, "", "https://a.cdn.example/live/master.m3u8"},
		{"the CDN's port", target, run.CDN{Host: "a.cdn.example:8443"}, run.App{}, "", "https://a.cdn.example:8443/live/master.m3u8"},
		{"the target's port stays", "http://origin.example:8080/m.mpd", run.CDN{Host: "a.cdn.example"}, run.App{}, "", "http://a.cdn.example:8080/m.mpd"},
		{"the CDN's port goes first", "http://origin.example:8080/m.mpd", run.CDN{Host: "a.cdn.example:81"}, run.App{}, "", "http://a.cdn.example:81/m.mpd"},
		{"an IPv6 address", "http://[::1]:8080/m.mpd", run.CDN{Host: "[::2]"}, run.App{}, "", "http://[::2]:8080/m.mpd"},
		{"an absolute address on the same host", target, run.CDN{Host: "a.cdn.example"}, run.App{}, "https://Origin.Example/s/1.ts?x=%2f", "https://a.cdn.example/s/1.ts?x=%2f"},
		{"with the port that it has anyway", target, run.CDN{Host: "a.cdn.example:444"}, run.App{}, "https://origin.example:443/1.ts", "https://a.cdn.example:444/1.ts"},
		{"the same host on another port", "https://origin.example:8443/m", run.CDN{Host: "a.cdn.example"}, run.App{}, "https://origin.example/1.ts", "https://origin.example/1.ts"},
		{"another host", target, run.CDN{Host: "a.cdn.example"}, run.App{}, "https://keys.example/k", "https://keys.example/k"},
		{"another host that the CDN serves", target, run.CDN{Host: "a.cdn.example", Hosts: []string{"media.example"}}, run.App{}, "https://media.example/1.ts", "https://a.cdn.example/1.ts"},
		{"a host whose name ends so", target, run.CDN{Host: "a.cdn.example"}, run.App{}, "https://not-origin.example/1.ts", "https://not-origin.example/1.ts"},
		{"what it has made itself", target, run.CDN{Host: "a.cdn.example"}, run.App{}, "https://a.cdn.example/1.ts?x=%2f", "https://a.cdn.example/1.ts?x=%2f"},
		{"an odd spelling stays", target, run.CDN{}, run.App{}, "https://x.example/a%2Fb/[1]?q=a+b&;", "https://x.example/a%2Fb/[1]?q=a+b&;"},
		{"a query of the app", target + "?sig=a%2Fb&z=1", run.CDN{}, run.App{Query: map[string]string{"token": "a b", "device": "tv"}}, "", target + "?sig=a%2Fb&z=1&device=tv&token=a+b"},
		{"in place of the target's", target + "?device=phone&sig=%7e", run.CDN{}, run.App{Query: map[string]string{"device": "tv"}}, "", target + "?sig=%7e&device=tv"},
		{"the target's user", guarded, run.CDN{}, run.App{}, "https://Origin.Example:443/1.ts?x=%2f", "https://me:p%40ss@Origin.Example:443/1.ts?x=%2f"},
		{"through a CDN", guarded, run.CDN{Host: "a.cdn.example"}, run.App{}, "https://origin.example/1.ts", "https://me:p%40ss@a.cdn.example/1.ts"},
		{"there already", guarded, run.CDN{}, run.App{}, "https://me:p%40ss@origin.example/1.ts", "https://me:p%40ss@origin.example/1.ts"},
		{"another user", guarded, run.CDN{}, run.App{}, "https://you@origin.example/1.ts", "https://you@origin.example/1.ts"},
		{"not on another host", guarded, run.CDN{}, run.App{}, "https://origin.example.net/1.ts", "https://origin.example.net/1.ts"},
		{"not beside the CDN", guarded, run.CDN{Host: "a.cdn.example"}, run.App{}, "https://b.cdn.example/1.ts", "https://b.cdn.example/1.ts"},
		{"not on another port", guarded, run.CDN{}, run.App{}, "https://origin.example:8443/1.ts", "https://origin.example:8443/1.ts"},
		{"not in the clear", guarded, run.CDN{}, run.App{}, "http://origin.example:443/1.ts", "http://origin.example:443/1.ts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := newRoute(Spec{Target: run.Target{URL: tt.target}, CDN: tt.cdn, App: tt.app})
			if err != nil {
				t.Fatal(err)
			}
			if tt.address == "" {
				tt.address = v.target
			}
			if got := v.rewrite(tt.address); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestRouteHeaders(t *testing.T) {
	network := Network{Header: http.Header{"X-A": {"1"}, "X-B": {"1", "2"}}}
	app := run.App{Headers: map[string]string{"x-b": "3", "authorization": "t"}}
	v, err := newRoute(Spec{Target: run.Target{URL: "https://h/"}, Network: network, App: app})
	if err != nil {
		t.Fatal(err)
	}
	if told := v.identify("0123", "news"); told != (player.CMCD{}) {
		t.Errorf("the player tells %+v", told)
	}
	want := http.Header{"X-A": {"1"}, "X-B": {"3"}, "Authorization": {"t"}, "Cmcd-Session": {`sid="0123"`}}
	if diff := cmp.Diff(want, v.header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if len(network.Header) != 2 || len(network.Header["X-B"]) != 2 {
		t.Errorf("the caller's headers were changed: %v", network.Header)
	}
}

func TestRouteRefuses(t *testing.T) {
	for name, s := range map[string]Spec{
		"no URL":      {},
		"a file":      {Target: run.Target{URL: "file:///etc/passwd"}},
		"no host":     {Target: run.Target{URL: "https:///m.m3u8"}},
		"only a port": {Target: run.Target{URL: "https://:443/m.m3u8"}},
		"CMCD":        {Target: run.Target{URL: "https://h/"}, App: run.App{CMCD: "body"}},
	} {
		if _, err := newRoute(s); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// connect_to holds for the target's host, the CDN's other hosts, and the host
// that they are rewritten to.
func TestConnectTo(t *testing.T) {
	for _, tt := range []struct {
		name string
		cdn  run.CDN
		want map[string]string
	}{
		{"none", run.CDN{}, map[string]string{"x": "192.0.2.9"}},
		{"the target's", run.CDN{ConnectTo: "192.0.2.1"}, map[string]string{"x": "192.0.2.9", "origin.example": "192.0.2.1"}},
		{"others", run.CDN{ConnectTo: "192.0.2.1", Hosts: []string{"m.example"}}, map[string]string{"x": "192.0.2.9", "origin.example": "192.0.2.1", "m.example": "192.0.2.1"}},
		{"rewritten", run.CDN{ConnectTo: "192.0.2.1", Host: "a.example:8443"}, map[string]string{"x": "192.0.2.9", "a.example:8443": "192.0.2.1"}},
	} {
		given := map[string]string{"x": "192.0.2.9"}
		s := Spec{Target: run.Target{URL: "https://origin.example/m"}, CDN: tt.cdn, Network: Network{ConnectTo: given}}
		v, err := newRoute(s)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := fetchConfig(s, v)
		if diff := cmp.Diff(tt.want, cfg.ConnectTo); diff != "" || err != nil || len(given) != 1 {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

func TestUnion(t *testing.T) {
	for _, tt := range []struct {
		list []interval
		want float64
	}{
		{nil, 0},
		{[]interval{{10, 30}}, 20},
		{[]interval{{40, 50}, {10, 30}}, 30},
		{[]interval{{10, 30}, {20, 50}, {25, 26}}, 40},
	} {
		if got := union(tt.list); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.list, got, tt.want)
		}
	}
}

// A CDN's servers are what a warm run connects to.
func TestServers(t *testing.T) {
	v, err := newRoute(Spec{Target: run.Target{URL: "https://o.example:8443/m"}, CDN: run.CDN{Host: "a.example", Hosts: []string{"p.example", "o.example:8443"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []*url.URL{{Scheme: "https", Host: "a.example:8443"}, {Scheme: "https", Host: "a.example"}}
	if diff := cmp.Diff(want, v.servers()); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
}
