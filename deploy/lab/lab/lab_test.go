package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/ledger"
	"github.com/firstframe/firstframe/probes/plan"
	"github.com/firstframe/firstframe/probes/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t testing.TB, c Config) *Lab {
	t.Helper()
	l, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// client is a viewer at an address: the lab's names, the lab's CA, a new
// connection for each request.
func client(t testing.TB, l *Lab, from string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(l.Info.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	dialer := &net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)},
		Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
			if strings.HasPrefix(network, "tcp") {
				d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
			}
			return d.DialContext(ctx, network, l.Info.DNS.String())
		}},
	}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
}

func get(c *http.Client, url string) (*http.Response, []byte, error) {
	res, err := c.Get(url)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

func order(t testing.TB, l *Lab, f fault.Fault) {
	t.Helper()
	if _, err := l.Faults.Add(f); err != nil {
		t.Fatal(err)
	}
}

// Every agent reaches every CDN, through the POP of its country.
func TestEveryAgentReachesEveryCDN(t *testing.T) {
	l := start(t, Config{Fast: true})
	var wg sync.WaitGroup
	for _, a := range l.Info.Agents {
		c := client(t, l, a.Addr.String())
		for i := range l.World.CDNs {
			cdn := &l.World.CDNs[i]
			wg.Go(func() {
				res, _, err := get(c, "https://"+l.Info.CDNs[cdn.Name]+Streams["hls-ts"])
				if err != nil || res.StatusCode != 200 {
					t.Errorf("%s through %s: %v, %v", a.Name, cdn.Name, res, err)
					return
				}
				right, _ := l.World.Serve(cdn, a.Country)
				seen := strings.Join([]string{res.Header.Get("X-Amz-Cf-Pop"), res.Header.Get("X-Served-By"), res.Header.Get("CF-Ray")}, " ")
				if !strings.Contains(seen, right.Code) {
					t.Errorf("%s through %s: served by %s, want %s", a.Name, cdn.Name, seen, right.Code)
				}
			})
		}
	}
	wg.Wait()
}

// A cold request costs a round trip each for TCP, TLS and the answer, and the
// names' time; from Brazil by way of Miami far more.
func TestDistance(t *testing.T) {
	l := start(t, Config{})
	c := client(t, l, "127.10.0.10")
	url := "https://" + l.Info.CDNs["cdn-b"] + "/time"
	timed := func() time.Duration {
		start := time.Now()
		if _, _, err := get(c, url); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	cdn := l.World.CDN("cdn-b")
	right, wrong := l.World.Serve(cdn, "BR")
	for _, tc := range []struct {
		kind string
		want time.Duration
	}{
		{"", 12*time.Millisecond + 3*l.World.Path("BR", right).RTT + right.Origin},
		{"wrong_pop", 12*time.Millisecond + 3*l.World.Path("BR", wrong).RTT + wrong.Origin},
	} {
		if tc.kind != "" {
			order(t, l, fault.Fault{ID: "x", Effect: fault.Effect{Kind: tc.kind}})
		}
		if got := min(timed(), timed(), timed()); got < tc.want-5*time.Millisecond || got > tc.want+60*time.Millisecond {
			t.Errorf("%q: %v, want %v", tc.kind, got, tc.want)
		}
	}
}

// What a client sees of the faults that take hold before HTTP.
func TestFaultsBeforeHTTP(t *testing.T) {
	l := start(t, Config{Fast: true})
	brazil, germany := client(t, l, "127.10.0.10"), client(t, l, "127.12.0.10")
	url := "https://" + l.Info.CDNs["cdn-b"] + Streams["hls-ts"]
	for _, tc := range []struct {
		kind string
		want func(error) bool
	}{
		{"dns_fail", func(err error) bool { var e *net.DNSError; return errors.As(err, &e) }},
		{"refuse", func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
		{"tls_expired", func(err error) bool {
			var e x509.CertificateInvalidError
			return errors.As(err, &e) && e.Reason == x509.Expired
		}},
	} {
		order(t, l, fault.Fault{ID: tc.kind, Match: fault.Match{Country: "BR", CDN: "cdn-b"}, Effect: fault.Effect{Kind: tc.kind}})
		if _, _, err := get(brazil, url); !tc.want(err) {
			t.Errorf("%s: %v", tc.kind, err)
		}
		if _, _, err := get(germany, url); err != nil {
			t.Errorf("%s: another country is hit: %v", tc.kind, err)
		}
		if _, _, err := get(brazil, "https://"+l.Info.CDNs["cdn-a"]+Streams["hls-ts"]); err != nil {
			t.Errorf("%s: another CDN is hit: %v", tc.kind, err)
		}
		l.Faults.Delete(tc.kind)
		if _, _, err := get(brazil, url); err != nil {
			t.Errorf("%s: it stays: %v", tc.kind, err)
		}
	}
}

// A live stream goes on while it is watched: the playlist moves, and what it
// names is there.
func TestLiveOverTheClock(t *testing.T) {
	t.Parallel()
	l := start(t, Config{Fast: true})
	c := client(t, l, "127.14.0.10")
	base := "https://" + l.Info.CDNs["cdn-c"] + "/live/cmaf/v360/"
	var first, last int
	for end := time.Now().Add(4500 * time.Millisecond); time.Now().Before(end); time.Sleep(700 * time.Millisecond) {
		res, body, err := get(c, base+"index.m3u8")
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		_, rest, _ := strings.Cut(string(body), "#EXT-X-MEDIA-SEQUENCE:")
		var msn int
		fmt.Sscan(rest, &msn)
		if first == 0 {
			first = msn
		}
		if msn < last {
			t.Errorf("media sequence went from %d to %d", last, msn)
		}
		last = msn
		for n := msn; n < msn+8; n++ {
			if res, _, err := get(c, fmt.Sprintf("%s%d.m4s", base, n)); err != nil || res.StatusCode != 200 {
				t.Fatalf("segment %d: %v, %v", n, res, err)
			}
		}
	}
	if last-first < 1 || last-first > 3 {
		t.Errorf("in 4.5 s from %d to %d", first, last)
	}
}

// The ledger knows every request of every run, and control serves it.
func TestLedgerIsComplete(t *testing.T) {
	l := start(t, Config{Fast: true})
	const runs, each = 40, 3
	want := map[string]int{}
	var wg sync.WaitGroup
	for i := range runs {
		id := run.NewID(time.Now())
		want[id] = each
		c := client(t, l, l.Info.Agents[i%len(l.Info.Agents)].Addr.String())
		wg.Go(func() {
			for range each {
				req, err := http.NewRequest("GET", l.Info.Streams["hls-ts"], nil)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("CMCD-Session", `sid="`+id+`"`)
				res, err := c.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	wg.Wait()
	if err := l.closeEdges(); err != nil { // no request is under way any more
		t.Error(err)
	}
	if err := l.LedgerEntries(func(e ledger.Entry) error { want[e.SID]--; return nil }); err != nil {
		t.Fatal(err)
	}
	var id string
	for run, missing := range want {
		if id = run; missing != 0 {
			t.Errorf("run %q: %d requests are missing", run, missing)
		}
	}
	_, body, err := get(http.DefaultClient, l.Info.Control+"/ledger?sid="+id)
	http.DefaultClient.CloseIdleConnections()
	if n := strings.Count(string(body), "\n"); err != nil || n != each {
		t.Errorf("control: %d lines, %v", n, err)
	}
}

func TestControl(t *testing.T) {
	l := start(t, Config{Fast: true})
	defer http.DefaultClient.CloseIdleConnections()
	res, err := http.Post(l.Info.Control+"/faults", "application/json", strings.NewReader(`{"id":"a","effect":{"kind":"html"}}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 201 || len(l.Faults.List()) != 1 {
		t.Errorf("%v, %v", res.Status, l.Faults.List())
	}
	_, body, err := get(http.DefaultClient, l.Info.Control+"/info")
	var info Info
	if err != nil || json.Unmarshal(body, &info) != nil || info.DNS != l.Info.DNS || len(info.Edges) != 18 || len(info.Agents) != 16 {
		t.Errorf("%s, %v", body, err)
	}
	if res, _, err := get(http.DefaultClient, l.Info.Origin+Streams["dash-number"]); err != nil || res.StatusCode != 200 {
		t.Errorf("origin: %v, %v", res, err)
	}
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	l := start(t, Config{Fast: true, Dir: dir, Interval: 7 * time.Second})
	p, err := plan.Load(l.Info.Plan, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Two targets as two versions and one as one, through three CDNs each.
	jobs := p.Jobs(plan.Facts{Agent: "br-as28573-1", Country: "BR"})
	if len(jobs) != 15 || jobs[0].Target.Interval != 7*time.Second || jobs[0].CDN.Host != l.Info.CDNs["cdn-a"] || jobs[0].App.UserAgent != "web/2.0.0 (Firstframe lab)" {
		t.Errorf("%d jobs, first %+v", len(jobs), jobs[0])
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{l.Info.CA, l.Info.Plan, l.Info.Ledger, l.Info.GeoIP.City, l.Info.GeoIP.ASN} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	temporary := start(t, Config{Fast: true})
	temporary.Close()
	if _, err := os.Stat(temporary.Info.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", temporary.Info.Dir, err)
	}
}

// Two labs run side by side; one ends with its context.
func TestContextEndsTheLab(t *testing.T) {
	other := start(t, Config{Fast: true})
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Start(ctx, Config{Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	gone := client(t, l, "127.10.0.10")
	cancel()
	for range 500 {
		if _, err := os.Stat(l.Info.Dir); errors.Is(err, os.ErrNotExist) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := get(gone, l.Info.Streams["hls-ts"]); err == nil {
		t.Error("it goes on")
	}
	if _, _, err := get(client(t, other, "127.10.0.10"), other.Info.Streams["hls-ts"]); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"a folder that is a file": {Dir: "/dev/null"},
	} {
		if _, err := Start(t.Context(), c); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

func TestAgents(t *testing.T) {
	l := start(t, Config{Fast: true})
	// A program that says its arguments and stays stands for the agent.
	script := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$@\"\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	all, err := l.StartAgents(AgentConfig{Binary: script, Collector: "http://127.0.0.1:4318"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		defer p.Kill()
	}
	if len(all) != 16 {
		t.Errorf("%d agents", len(all))
	}
	name := filepath.Join(l.Info.Dir, "agents", l.Info.Agents[0].Name)
	want := fmt.Sprintf("run --collector http://127.0.0.1:4318 --id br-as28573-1 --bind 127.10.0.10 --resolver %s --ca %s --data %s\n", l.Info.DNS, l.Info.CA, name)
	for range 500 {
		if b, _ := os.ReadFile(name + ".out"); len(b) > 0 {
			if string(b) != want {
				t.Errorf("%s, want %s", b, want)
			}
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := l.StartAgents(AgentConfig{Binary: "/nonexistent"}); err == nil {
		t.Error("started a program that is not there")
	}
}
