package lab

import (
	"crypto/x509"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/run"
)

// probe presses play as an agent would.
func probe(t testing.TB, l *Lab, from, stream, cdn, player string, timeout time.Duration) run.Run {
	t.Helper()
	pem, err := os.ReadFile(l.Info.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return probes.Probe(t.Context(), probes.Spec{
		Target: run.Target{Name: stream, URL: l.Info.Streams[stream], Timeout: timeout},
		CDN:    run.CDN{Name: cdn, Host: l.Info.CDNs[cdn]},
		App:    run.App{Name: "web", Version: "2.0.0", Player: player, Codecs: []string{"avc1", "mp4a"}},
		Network: probes.Network{Resolver: l.Info.DNS.String(), Bind: netip.MustParseAddr(from), RootCAs: roots,
			AllowAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
}

// Every stream plays, through every CDN.
func TestEveryStreamPlays(t *testing.T) {
	l := start(t, Config{Fast: true})
	for name := range Streams {
		for _, c := range l.World.CDNs {
			r := probe(t, l, "127.10.0.10", name, c.Name, "ideal", 10*time.Second)
			if !r.OK || r.TTFFMs == nil || r.FirstKeyframeMs == nil || r.Height == nil {
				t.Errorf("%s through %s: %s at %s: %s", name, c.Name, r.ErrorType, r.ErrorStep, r.ErrorDetail)
			}
		}
	}
}

// From every country through every CDN, over the way that it has, playback is
// good; with an order for Brazil and one CDN all but that is.
func TestEveryCellIsGood(t *testing.T) {
	t.Parallel()
	l := start(t, Config{})
	for _, ill := range []bool{false, true} {
		if ill {
			order(t, l, fault.Fault{ID: "x", Match: fault.Match{Country: "BR", CDN: "cdn-b"}, Effect: fault.Effect{Kind: "first_byte", Ms: 1000}})
		}
		var wg sync.WaitGroup
		for _, a := range l.Info.Agents {
			for _, c := range l.World.CDNs {
				wg.Go(func() {
					r := probe(t, l, a.Addr.String(), "hls-cmaf", c.Name, "hlsjs", 20*time.Second)
					if want := !ill || a.Country != "BR" || c.Name != "cdn-b"; !r.OK || r.Good != want {
						t.Errorf("%s through %s: good %v, want %v: after %.0f ms, %s", a.Name, c.Name, r.Good, want, r.DurationMs, r.ErrorDetail)
					}
					if right, _ := l.World.Serve(l.World.CDN(c.Name), a.Country); r.POPCountry != right.Country {
						t.Errorf("%s through %s: served from %q, %q, want %s, %s", a.Name, c.Name, r.POP, r.POPCountry, right.Code, right.Country)
					}
				})
			}
		}
		wg.Wait()
	}
}

// Each kind of fault ends a run as the table of kinds says, and none that it
// is not ordered for.
func TestKindsEndRunsAsTheTableSays(t *testing.T) {
	t.Parallel()
	l := start(t, Config{Fast: true})
	const brazil, germany = "127.10.0.10", "127.12.0.10"
	for _, tc := range []struct {
		kind   string
		effect fault.Effect
		path   string
		stream string
		want   run.ErrorType // where it is not the table's
		step   run.StepName
	}{
		{kind: "dns_fail"},
		{kind: "dns_slow", effect: fault.Effect{Ms: 60_000}},
		{kind: "refuse"},
		{kind: "private_address"},
		{kind: "tls_expired"},
		{kind: "tls_slow", effect: fault.Effect{Ms: 60_000}},
		{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, step: run.StepManifest},
		{kind: "first_byte", effect: fault.Effect{Ms: 60_000}, path: "*.ts", step: run.StepSegment},
		{kind: "bandwidth", effect: fault.Effect{Kbps: 8}, path: "*.ts", step: run.StepSegment},
		{kind: "status", effect: fault.Effect{Status: 404}, step: run.StepManifest},
		{kind: "status", effect: fault.Effect{Status: 503}, path: "index.m3u8", want: run.ErrHTTP5xx, step: run.StepPlaylist},
		{kind: "origin_down", step: run.StepManifest},
		{kind: "redirect"},
		{kind: "truncate"},
		{kind: "reset"},
		{kind: "stall", step: run.StepSegment},
		{kind: "oversize"},
		{kind: "html"},
		{kind: "html", stream: "dash-number"},
		{kind: "garbage"},
		{kind: "garbage", path: "master.m3u8", want: run.ErrManifestInvalid, step: run.StepManifest},
		{kind: "empty"},
		{kind: "empty", stream: "dash-timeline"},
		{kind: "stale", stream: "live-hls-ts", step: run.StepPlaylist},
		{kind: "stale", stream: "live-dash-timeline", step: run.StepManifest},
		{kind: "no_keyframe"},
		{kind: "no_keyframe", stream: "hls-cmaf"},
		{kind: "unsupported"},
		{kind: "unsupported", stream: "dash-number"},
		{kind: "bad_key", stream: "hls-aes"},
	} {
		if tc.stream == "" {
			tc.stream = "hls-ts"
		}
		k := fault.KindByName(tc.kind)
		if tc.want == "" {
			tc.want = k.ErrorType
		}
		if tc.step == "" {
			tc.step = k.ErrorStep
		}
		t.Run(tc.kind+"/"+tc.stream+tc.path, func(t *testing.T) {
			tc.effect.Kind = tc.kind
			order(t, l, fault.Fault{ID: t.Name(), Match: fault.Match{Country: "BR", CDN: "cdn-b", Path: tc.path}, Effect: tc.effect})
			defer l.Faults.Delete(t.Name())
			timeout := 1500 * time.Millisecond
			switch tc.kind {
			case "stall":
				timeout = 2500 * time.Millisecond // below a second of silence it is a timeout
			case "oversize":
				timeout = 15 * time.Second // so much takes a while to receive
			}
			r := probe(t, l, brazil, tc.stream, "cdn-b", "ideal", timeout)
			if r.OK || r.ErrorType != tc.want || r.ErrorStep != tc.step {
				t.Errorf("%s at %s: %s; want %s at %s", r.ErrorType, r.ErrorStep, r.ErrorDetail, tc.want, tc.step)
			}
			if r.DurationMs > float64(timeout.Milliseconds())+1000 {
				t.Errorf("took %v ms", r.DurationMs)
			}
			if len(r.Steps) == 0 {
				t.Error("no steps")
			}
			if r := probe(t, l, germany, tc.stream, "cdn-b", "ideal", 10*time.Second); !r.OK {
				t.Errorf("another country is hit: %s at %s: %s", r.ErrorType, r.ErrorStep, r.ErrorDetail)
			}
		})
	}
}
