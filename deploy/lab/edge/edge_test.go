package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/ledger"
	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/deploy/lab/service"
	"github.com/firstframe/firstframe/deploy/lab/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const brazil, germany = "127.10.0.10", "127.12.0.10"

// harness is one edge and whoever asks it.
type harness struct {
	t      *testing.T
	edge   *Edge
	faults *fault.Set
	ledger string
	roots  *x509.CertPool
	secure string // address
	plain  string
	name   string
}

// newHarness starts the first edge of a CDN, once change, if there is any, has had it.
func newHarness(t *testing.T, cdn string, change ...func(*world.CDN)) *harness {
	t.Helper()
	w := world.Default()
	for _, f := range change {
		f(w.CDN(cdn))
	}
	o, err := origin.New(os.DirFS("../media"))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := NewAuthority(w.Domain)
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, faults: &fault.Set{}, ledger: filepath.Join(t.TempDir(), "ledger.jsonl"), roots: x509.NewCertPool(), name: w.Host(*w.CDN(cdn))}
	h.roots.AppendCertsFromPEM(authority.PEM)
	l, err := ledger.Open(h.ledger, 0)
	if err != nil {
		t.Fatal(err)
	}
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	h.secure, h.plain = listeners[0].Addr().String(), listeners[1].Addr().String()
	packets, err := net.ListenPacket("udp", h.secure)
	if err != nil {
		t.Fatal(err)
	}
	h.edge, err = Start(Config{World: w, Origin: o, Service: service.New(o, "https://"+w.PlayHost(), []service.Pathway{{Name: cdn, Base: "https://" + h.name}}), Faults: h.faults, Ledger: l, Authority: authority, Fast: true, Log: slog.New(slog.DiscardHandler)},
		w.CDN(cdn), &w.CDN(cdn).POPs[0], Sockets{Secure: listeners[0], Plain: listeners[1], QUIC: packets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.edge.Close(), l.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// The protocols.
const http11, http2, http30 = "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"

var protocols = []string{http11, http2, http30}

// client asks from an address.
func (h *harness) client(from, proto string) *http.Client {
	if proto == http30 {
		return h.overQUIC(from)
	}
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			return d.DialContext(ctx, network, h.secure)
		},
		TLSClientConfig:   &tls.Config{RootCAs: h.roots},
		ForceAttemptHTTP2: proto == http2,
	}
	h.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// get gives the answer, its body as far as it came, and what ended it.
func (h *harness) get(c *http.Client, path string, header ...string) (*http.Response, []byte, error) {
	h.t.Helper()
	req, err := http.NewRequest("GET", "https://"+h.name+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	return res, body, err
}

// entries are those of the ledger.
func (h *harness) entries(t *testing.T) (all []ledger.Entry) {
	t.Helper()
	if err := ledger.Read(h.ledger, func(e ledger.Entry) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../media/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestProtocols(t *testing.T) {
	h := newHarness(t, "cdn-a")
	want := file(t, "ts/360p/0.ts")
	for _, proto := range protocols {
		res, body, err := h.get(h.client(brazil, proto), "/vod/ts/360p/0.ts")
		if err != nil || res.Proto != proto || !bytes.Equal(body, want) || res.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s: %v, %v", proto, res, err)
		}
	}
	res, err := http.Get("http://" + h.plain + "/vod/ts/360p/0.ts")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err != nil || !bytes.Equal(body, want) {
		t.Errorf("plain: %v, %v", res.Status, err)
	}
}

func TestCacheHeaders(t *testing.T) {
	for _, tc := range []struct {
		cdn   string
		miss  map[string]string
		hit   map[string]string
		has   []string
		error map[string]string
	}{
		{"cdn-a", map[string]string{"X-Cache": "Miss from cloudfront", "X-Amz-Cf-Pop": "GRU50-C1"},
			map[string]string{"X-Cache": "Hit from cloudfront", "X-Amz-Cf-Pop": "GRU50-C1", "Age": "0"},
			[]string{"X-Amz-Cf-Id", "Via"}, map[string]string{"X-Cache": "Error from cloudfront"}},
		{"cdn-b", map[string]string{"X-Cache": "MISS", "X-Served-By": "cache-gru10428-GRU", "Via": "1.1 varnish", "X-Cache-Hits": "0"},
			map[string]string{"X-Cache": "HIT", "X-Cache-Hits": "1", "Age": "0"}, []string{"X-Timer"}, map[string]string{"X-Cache": "MISS"}},
		{"cdn-c", map[string]string{"CF-Cache-Status": "MISS", "Server": "cloudflare"},
			map[string]string{"CF-Cache-Status": "HIT", "Age": "0"}, []string{"CF-Ray"}, map[string]string{"Server": "cloudflare"}},
	} {
		t.Run(tc.cdn, func(t *testing.T) {
			h := newHarness(t, tc.cdn)
			c := h.client(brazil, http2)
			for i, want := range []map[string]string{tc.miss, tc.hit} {
				res, _, err := h.get(c, "/vod/cmaf/master.m3u8")
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range want {
					if got := res.Header.Get(name); got != value {
						t.Errorf("request %d: %s: %q, want %q", i, name, got, value)
					}
				}
				for _, name := range tc.has {
					if res.Header.Get(name) == "" {
						t.Errorf("request %d: no %s", i, name)
					}
				}
			}
			res, _, err := h.get(c, "/vod/nothing.m3u8")
			if err != nil || res.StatusCode != 404 {
				t.Fatalf("%v, %v", res, err)
			}
			for name, value := range tc.error {
				if got := res.Header.Get(name); got != value {
					t.Errorf("error: %s: %q, want %q", name, got, value)
				}
			}
			if tc.cdn == "cdn-c" {
				if ray := res.Header.Get("CF-Ray"); len(ray) != 20 || ray[16:] != "-GIG" {
					t.Errorf("CF-Ray: %q", ray)
				}
			}
		})
	}
}

// A live manifest is kept for a second, and no longer.
func TestLiveManifestExpires(t *testing.T) {
	c := newCache(1000)
	now := time.Unix(0, 0)
	c.put("/m", origin.Object{Body: []byte("x"), MaxAge: time.Second}, now)
	if _, age, ok := c.get("/m", now.Add(999*time.Millisecond)); !ok || age != 999*time.Millisecond {
		t.Error("not kept for a second", age)
	}
	if _, _, ok := c.get("/m", now.Add(time.Second)); ok {
		t.Error("kept for longer than a second")
	}
	c.put("/time", origin.Object{Body: []byte("x")}, now)
	if _, _, ok := c.get("/time", now); ok {
		t.Error("kept what may not be kept")
	}
	for _, name := range []string{"/a", "/b", "/c"} {
		c.put(name, origin.Object{Body: make([]byte, 400), MaxAge: time.Hour}, now)
		c.get("/a", now)
	}
	_, _, a := c.get("/a", now)
	_, _, b := c.get("/b", now)
	if !a || b || c.size != 800 {
		t.Errorf("a %v, b %v, %d bytes: want the least lately used to go", a, b, c.size)
	}
}

func TestLedger(t *testing.T) {
	h := newHarness(t, "cdn-c")
	h.order(t, fault.Fault{Match: fault.Match{AppVersion: "2.1.0"}, Effect: fault.Effect{Kind: "status", Status: 503}})
	const run = "019ab0f7c1d2aabbccddeeff00112233"
	c := h.client(brazil, http2)
	for _, q := range []struct {
		path   string
		header []string
	}{
		{"/vod/ts/master.m3u8", []string{"CMCD-Session", `sf=h,sid="` + run + `",st=v`, "User-Agent", "web/2.0.0 (Firstframe lab)"}},
		{"/vod/ts/360p/0.ts?CMCD=sid%3D%22" + run + "%22", []string{"User-Agent", "web/2.1.0"}},
		{"/vod/range/v360/media.mp4", []string{"Range", "bytes=0-829"}},
	} {
		if _, _, err := h.get(c, q.path, q.header...); err != nil {
			t.Fatal(err)
		}
	}
	h.edge.Close() // no request is under way any more
	got := h.entries(t)
	if len(got) != 3 {
		t.Fatalf("%d entries: %+v", len(got), got)
	}
	a, b, r := got[0], got[1], got[2]
	if a.SID != run || a.Status != 200 || a.Bytes != int64(len(file(t, "ts/master.m3u8"))) || a.Cache != "miss" || a.AppVersion != "2.0.0" ||
		a.Client != brazil || a.Country != "BR" || a.ASN != 28573 || a.CDN != "cdn-c" || a.POP != "GIG" || a.Proto != "HTTP/2.0" || a.Fault != "" {
		t.Errorf("first: %+v", a)
	}
	if b.SID != run || b.Status != 503 || b.Fault != "x" || b.AppVersion != "2.1.0" || b.Path != "/vod/ts/360p/0.ts" {
		t.Errorf("second: %+v", b)
	}
	if r.SID != "" || r.Status != 206 || r.Bytes != 830 || r.Range != "bytes=0-829" {
		t.Errorf("third: %+v", r)
	}
}

// A browser's preflight names no run and is hit by no fault; by its connection it is
// found.
func TestPreflight(t *testing.T) {
	for _, proto := range protocols {
		t.Run(path.Base(proto), func(t *testing.T) {
			h := newHarness(t, "cdn-a")
			h.order(t, fault.Fault{Match: fault.Match{Path: "*.ts"}, Effect: fault.Effect{Kind: "status", Status: 503}})
			c := h.client(brazil, proto)
			for i, sid := range []string{"one", "two"} {
				req, err := http.NewRequest("OPTIONS", "https://"+h.name+"/vod/ts/360p/0.ts", nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Headers") != "*, Authorization" {
					t.Errorf("%v", res)
				}
				if _, _, err := h.get(c, "/vod/ts/master.m3u8", "CMCD-Session", `sid="`+sid+`"`); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					c = h.client(brazil, proto)
				}
			}
			h.edge.Close()
			var got []string
			if err := ledger.Read(h.ledger, func(e ledger.Entry) error { got = append(got, e.Method+" "+e.SID+e.Fault); return nil }); err != nil {
				t.Fatal(err)
			}
			if want := []string{"OPTIONS one", "GET one", "OPTIONS two", "GET two"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
