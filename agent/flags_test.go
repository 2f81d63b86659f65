package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/plan"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// refused tells whether err is the user's, and names what was typed.
func refused(err error, typed string) bool {
	var usage usageError
	return errors.As(err, &usage) && strings.Contains(err.Error(), typed)
}

func TestConnectToFlag(t *testing.T) {
	for _, tt := range []struct{ pair, host, addr string }{
		{"cdn.example:203.0.113.7", "cdn.example", "203.0.113.7"},
		{"cdn.example:203.0.113.7:8443", "cdn.example", "203.0.113.7:8443"},
		{"cdn.example:2001:db8::1", "cdn.example", "2001:db8::1"},
		{"cdn.example:[2001:db8::1]:443", "cdn.example", "[2001:db8::1]:443"},
		{"cdn.example", "", ""},
		{"cdn.example:", "", ""},
		{":203.0.113.7", "", ""},
		{"cdn.example:other.example", "", ""},
		{"cdn.example:203.0.113.7:", "", ""},
		{"cdn.example:203.0.113.7:99999", "", ""},
	} {
		host, addr, err := splitConnectTo(tt.pair)
		if host != tt.host || addr != tt.addr || (err == nil) != (tt.host != "") || err != nil && !refused(err, tt.pair) {
			t.Errorf("%s: %q %q %v, want %q %q", tt.pair, host, addr, err, tt.host, tt.addr)
		}
	}
}

func TestHeaderFlag(t *testing.T) {
	got, err := headers([]string{"x-a: 1", "X-A:2", "Authorization: Bearer a:b", "X-Empty:"})
	want := http.Header{"X-A": {"1", "2"}, "Authorization": {"Bearer a:b"}, "X-Empty": {""}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, pair := range []string{"X-A", ":1", " : 1", ""} {
		if _, err := headers([]string{pair}); !refused(err, pair) {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

func TestNetworkFlags(t *testing.T) {
	for flag, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5353": "192.0.2.1:5353", "2001:db8::1": "[2001:db8::1]:53",
		"[2001:db8::1]": "[2001:db8::1]:53", "[2001:db8::1]:54": "[2001:db8::1]:54", "dns.example": "dns.example:53",
	} {
		n, err := (&networkFlags{Resolver: flag}).network()
		if err != nil || n.Resolver != want {
			t.Errorf("--resolver %s: %q, %v, want %q", flag, n.Resolver, err, want)
		}
	}
	n, err := (&networkFlags{Bind: "127.0.0.2", IP: 4, Insecure: true, AllowPrivate: true, ConnectTo: []string{"a:192.0.2.1", "b:192.0.2.2:1"}}).network()
	if err != nil || n.Bind != netip.MustParseAddr("127.0.0.2") || n.IPVersion != 4 || !n.Insecure || !n.AllowPrivate ||
		!cmp.Equal(n.ConnectTo, map[string]string{"a": "192.0.2.1", "b": "192.0.2.2:1"}) {
		t.Errorf("%+v, %v", n, err)
	}
	n, err = (&networkFlags{ECS: "200.147.3.129/24"}).network()
	if err != nil || n.ClientSubnet != netip.MustParsePrefix("200.147.3.0/24") {
		t.Errorf("--ecs: %v, %v", n.ClientSubnet, err)
	}
	for _, ecs := range []string{"200.147.3.129", "200.147.3.0/33", "BR"} {
		if _, err := (&networkFlags{ECS: ecs}).network(); !refused(err, ecs) {
			t.Errorf("--ecs %s: %v", ecs, err)
		}
	}
	if _, err := (&networkFlags{Bind: "eth0"}).network(); !refused(err, "eth0") {
		t.Errorf("--bind eth0: %v", err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&networkFlags{CA: file}).network(); !refused(err, file) {
		t.Errorf("--ca without a certificate: %v", err)
	}
}

func TestCDNFlag(t *testing.T) {
	got, err := (&probeCmd{CDN: []string{"a=a.cdn.example", "b=b.cdn.example:8443"}}).cdns()
	want := []run.CDN{{Name: "a", Host: "a.cdn.example"}, {Name: "b", Host: "b.cdn.example:8443"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := (&probeCmd{}).cdns(); err != nil || len(got) != 1 || got[0].Host != "" {
		t.Errorf("without a flag: %+v, %v", got, err)
	}
	for _, flag := range []string{"a", "=h", "a=", "a=https://h", "a=h/path", "a=h x"} {
		if _, err := (&probeCmd{CDN: []string{flag}}).cdns(); !refused(err, flag) {
			t.Errorf("%q: %v", flag, err)
		}
	}
}

// Every target is played through every CDN as every app.
func TestSpecs(t *testing.T) {
	c := &probeCmd{
		Target: []string{"https://h/a.m3u8", "https://h/b.mpd"}, CDN: []string{"a=a.example", "b=b.example"}, App: []string{"tv@2", "web"},
		Player: "ideal", HTTP: "2", Threshold: time.Second, Timeout: time.Minute, Header: []string{"X-A: 1"},
	}
	specs, err := c.specs()
	if err != nil || len(specs) != 8 {
		t.Fatalf("%d specs, %v, want 8", len(specs), err)
	}
	seen := map[string]bool{}
	for _, s := range specs {
		seen[s.Target.URL+s.CDN.Name+s.App.Name+s.App.Version] = true
		if s.Target.Threshold != time.Second || s.Target.Timeout != time.Minute || s.App.Player != "ideal" || s.Network.HTTP != "2" ||
			s.Network.Header.Get("X-A") != "1" || s.Identity.Source != run.SourceAdhoc || s.Identity.Agent == "" {
			t.Errorf("%+v", s)
		}
	}
	if len(seen) != 8 || !seen["https://h/b.mpdatv2"] || !seen["https://h/a.m3u8bweb"] {
		t.Errorf("%v", seen)
	}
	for _, target := range []string{"h/a.m3u8", "file:///a", "https://"} {
		if _, err := (&probeCmd{Target: []string{target}}).specs(); !refused(err, target) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// Cold and warm follow each other among what to play, so that they are paired.
func TestConnectionFlag(t *testing.T) {
	for flag, want := range map[string][]string{"": {"", ""}, "cold": {"cold", "cold"}, "warm": {"warm", "warm"}, "both": {"cold", "warm", "cold", "warm"}} {
		specs, err := (&probeCmd{Target: []string{"https://h/a.m3u8"}, CDN: []string{"a=a", "b=b"}, Connection: flag}).specs()
		var got []string
		for _, s := range specs {
			got = append(got, s.Target.Connection)
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("--connection %s: %v (-want +got):\n%s", flag, err, diff)
		}
	}
}

func TestChosen(t *testing.T) {
	jobs := []plan.Job{
		{Target: run.Target{Name: "news"}, App: run.App{Name: "tv", Version: "1"}},
		{Target: run.Target{Name: "news"}, App: run.App{Name: "tv", Version: "2"}},
		{Target: run.Target{Name: "news"}, App: run.App{Name: "web", Version: "1"}},
	}
	of := func(j plan.Job) []string { return []string{j.App.Name, j.App.Name + "@" + j.App.Version} }
	for _, tt := range []struct {
		want []string
		fits []bool
		err  string
	}{
		{nil, []bool{true, true, true}, ""},
		{[]string{"tv"}, []bool{true, true, false}, ""},
		{[]string{"tv@2", "web"}, []bool{false, true, true}, ""},
		{[]string{"radio"}, []bool{false, false, false}, "tv, tv@1, tv@2, web, web@1"},
	} {
		c := chosen{flag: "--app", want: tt.want, of: of}
		for i, j := range jobs {
			if c.fits(j) != tt.fits[i] {
				t.Errorf("%v: fits %s@%s is %v", tt.want, j.App.Name, j.App.Version, c.fits(j))
			}
		}
		if err := c.check(jobs); tt.err == "" && err != nil || tt.err != "" && !refused(err, tt.err) {
			t.Errorf("%v: %v, want %q", tt.want, err, tt.err)
		}
	}
}

// A planned run keeps the plan's limits unless a flag says otherwise, and the
// plan's allowed addresses.
func TestPlanned(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.yaml")
	text := `version: 1
cdns: [{name: a, host: a.example}, {name: b, host: b.example}]
apps: [{name: tv, version: "1", player: ideal}]
targets: [{name: news, url: "https://h/m.m3u8", cdns: ["*"], apps: ["*"], threshold: 3s, timeout: 20s}]
allow_addresses: [10.0.0.0/8]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	specs, err := (&probeCmd{Plan: file, CDN: []string{"b"}, Timeout: time.Second}).specs()
	if err != nil || len(specs) != 1 {
		t.Fatalf("%d specs, %v", len(specs), err)
	}
	s := specs[0]
	if s.CDN.Host != "b.example" || s.App.Player != "ideal" || s.Target.Threshold != 3*time.Second || s.Target.Timeout != time.Second ||
		s.Identity.PlanRevision == "" || len(s.Network.AllowAddresses) != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := (&probeCmd{Plan: file, Target: []string{"sports"}}).specs(); !refused(err, "sports") {
		t.Errorf("%v", err)
	}
}

// What the plan allows is reached, and what it does not is not, also behind a
// redirect and by any protocol.
func TestPlanAllowsAddresses(t *testing.T) {
	reached := false
	inner := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	inner.Listener.Close()
	var err error
	if inner.Listener, err = net.Listen("tcp", "127.0.0.2:0"); err != nil {
		t.Skip(err)
	}
	inner.StartTLS()
	defer inner.Close()
	outer := httptest.NewServer(http.RedirectHandler(inner.URL+"/m.m3u8", http.StatusFound))
	defer outer.Close()
	for _, tt := range []struct {
		allow, http string
		url         string
		want        run.ErrorType
		reached     bool
	}{
		{"", "1.1", inner.URL, run.ErrBlockedAddress, false},
		{"127.0.0.1", "2", inner.URL, run.ErrBlockedAddress, false},
		{"127.0.0.1", "3", inner.URL, run.ErrBlockedAddress, false},
		{"127.0.0.1", "1.1", outer.URL, run.ErrBlockedAddress, false},
		{"127.0.0.1, 127.0.0.2/32", "1.1", outer.URL, run.ErrManifestEmpty, true},
		{"127.0.0.0/8", "1.1", inner.URL, run.ErrManifestEmpty, true},
	} {
		file := filepath.Join(t.TempDir(), "plan.yaml")
		text := fmt.Sprintf("version: 1\ntargets: [{name: a, url: %q}]\napps: [{name: web, http: %q}]\nallow_addresses: [%s]\n", tt.url+"/m.m3u8", tt.http, tt.allow)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		specs, err := (&probeCmd{Plan: file, networkFlags: networkFlags{Insecure: true}}).specs()
		if err != nil || len(specs) != 1 {
			t.Fatalf("%d specs, %v", len(specs), err)
		}
		reached = false
		r := probes.Probe(t.Context(), specs[0])
		if r.ErrorType != tt.want || reached != tt.reached {
			t.Errorf("allowing [%s], %s over HTTP/%s: %s (%s), reached %v; want %s", tt.allow, tt.url, tt.http, r.ErrorType, r.ErrorDetail, reached, tt.want)
		}
	}
}

func TestRunFlags(t *testing.T) {
	base := runCmd{Plan: "p", Ship: "u", Concurrency: 1, SpoolSize: 1}
	for name, change := range map[string]func(*runCmd){
		"no plan":        func(c *runCmd) { c.Plan = "" },
		"nowhere to go":  func(c *runCmd) { c.Ship = "" },
		"no concurrency": func(c *runCmd) { c.Concurrency = 0 },
		"no spool":       func(c *runCmd) { c.SpoolSize = 0 },
		"a long country": func(c *runCmd) { c.Country = "BRA" },
		"a numeric one":  func(c *runCmd) { c.Country = "B1" },
	} {
		c := base
		if change(&c); c.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	c := base
	if c.Country = "br"; c.Validate() != nil || c.Country != "BR" {
		t.Errorf("country br: %q, %v", c.Country, c.Validate())
	}
}
