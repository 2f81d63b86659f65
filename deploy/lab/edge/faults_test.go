package edge

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/fault"
	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/deploy/lab/service"
)

func (h *harness) order(t *testing.T, f fault.Fault) {
	t.Helper()
	f.ID = "x"
	if _, err := h.faults.Add(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.faults.Delete("x") })
}

// The observable effect of every kind that takes hold in HTTP, over each
// protocol, and that it hits none but those it is ordered for.
func TestFaults(t *testing.T) {
	h := newHarness(t, "cdn-b")
	segment := file(t, "ts/360p/1.ts")
	const ts, m3u8 = "/vod/ts/360p/1.ts", "/vod/ts/master.m3u8"
	type outcome struct {
		*http.Response
		body []byte
		err  error
		took time.Duration
	}
	isCut := func(o outcome) bool { return o.Response != nil && bytes.Equal(o.body, segment[:4096]) && o.err != nil }
	for _, tc := range []struct {
		kind   string
		effect fault.Effect
		path   string
		want   func(outcome) bool
	}{
		{"first_byte", fault.Effect{Ms: 200}, m3u8, func(o outcome) bool { return o.StatusCode == 200 && o.took >= 200*time.Millisecond }},
		{"bandwidth", fault.Effect{Kbps: 4000}, ts, func(o outcome) bool {
			return bytes.Equal(o.body, segment) && o.took >= time.Duration(len(segment))*2*time.Microsecond-20*time.Millisecond
		}},
		{"status", fault.Effect{Status: 403}, m3u8, func(o outcome) bool { return o.StatusCode == 403 }},
		{"origin_down", fault.Effect{}, m3u8, func(o outcome) bool { return o.StatusCode == 502 }},
		{"redirect", fault.Effect{}, m3u8, func(o outcome) bool { return o.StatusCode == 302 && o.Header.Get("Location") == m3u8 }},
		{"truncate", fault.Effect{}, ts, func(o outcome) bool { return isCut(o) && errors.Is(o.err, io.ErrUnexpectedEOF) }},
		{"reset", fault.Effect{}, ts, func(o outcome) bool { return isCut(o) && isReset(o.err) }},
		{"stall", fault.Effect{Ms: 300}, ts, func(o outcome) bool { return isCut(o) && o.took >= 300*time.Millisecond }},
		{"oversize", fault.Effect{}, m3u8, func(o outcome) bool { return o.ContentLength == 1e12 && len(o.body) == 4<<20 }},
		{"html", fault.Effect{}, m3u8, func(o outcome) bool {
			return o.StatusCode == 200 && strings.HasPrefix(o.Header.Get("Content-Type"), "text/html") && bytes.Contains(o.body, []byte("Welcome"))
		}},
		{"garbage", fault.Effect{}, ts, func(o outcome) bool {
			return o.StatusCode == 200 && len(o.body) == len(segment) && o.body[0] != 0x47 && o.Header.Get("Content-Type") == "video/mp2t"
		}},
		{"empty", fault.Effect{}, m3u8, func(o outcome) bool {
			return bytes.HasPrefix(o.body, []byte("#EXTM3U\n")) && !bytes.Contains(o.body, []byte("INF"))
		}},
		{"no_keyframe", fault.Effect{}, ts, func(o outcome) bool {
			return len(o.body) == len(segment) && !bytes.Equal(o.body, segment) && o.body[0] == 0x47
		}},
		{"unsupported", fault.Effect{}, "/vod/ts/360p/index.m3u8", func(o outcome) bool { return bytes.Count(o.body, []byte("METHOD=SAMPLE-AES")) == 1 }},
		{"unsupported", fault.Effect{}, m3u8, func(o outcome) bool {
			return bytes.Count(o.body, []byte(`CODECS="zzzz.1"`)) == 2 && !bytes.Contains(o.body, []byte("avc1"))
		}},
		{"bad_key", fault.Effect{}, "/vod/aes/key.bin", func(o outcome) bool { return len(o.body) == 8 }},
	} {
		for _, proto := range protocols {
			t.Run(tc.kind+tc.path[strings.LastIndexByte(tc.path, '/'):]+"/"+path.Base(proto), func(t *testing.T) {
				tc.effect.Kind = tc.kind
				h.order(t, fault.Fault{Match: fault.Match{Country: "BR"}, Effect: tc.effect})
				start := time.Now()
				res, body, err := h.get(h.client(brazil, proto), tc.path)
				o := outcome{res, body, err, time.Since(start)}
				if res == nil || !tc.want(o) {
					t.Errorf("%v, %d bytes, %v after %v", res, len(body), err, o.took)
				}
				clean, body, err := h.get(h.client(germany, proto), tc.path)
				if err != nil || clean.StatusCode != 200 || !bytes.Equal(body, file(t, strings.TrimPrefix(tc.path, "/vod/"))) {
					t.Errorf("another country is hit: %v, %v", clean, err)
				}
			})
		}
	}
}

// 70 kB at 4 Mbit/s take 140 ms: never less, and the best of three no more than a
// busy machine adds.
func TestBandwidth(t *testing.T) {
	h := newHarness(t, "cdn-b")
	h.order(t, fault.Fault{Effect: fault.Effect{Kind: "bandwidth", Kbps: 4000}})
	want := time.Duration(len(file(t, "ts/360p/1.ts"))) * 2 * time.Microsecond
	for _, proto := range protocols {
		c, best := h.client(brazil, proto), time.Hour
		for range 3 {
			start := time.Now()
			if _, _, err := h.get(c, "/vod/ts/360p/1.ts"); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		if best < want-20*time.Millisecond || best > want+200*time.Millisecond {
			t.Errorf("%s: %v, want %v", proto, best, want)
		}
	}
}

// A live manifest stands still as of before the order, also where the service
// answers for it.
func TestStaleManifest(t *testing.T) {
	h := newHarness(t, "cdn-a")
	c := h.client(brazil, http2)
	session := h.session(t, c)
	manifests := func() (all [3]string) {
		for i, path := range []string{"/live/ts/360p/index.m3u8", service.Signed + "/live/ts/360p/index.m3u8", service.Steered + "/live/cmaf/manifest-timeline.mpd"} {
			res, body, err := h.get(c, path, service.SessionHeader, session)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v, %v", path, res, err)
			}
			all[i] = string(body)
		}
		return all
	}
	newest := func(back time.Duration) string {
		return origin.Starts(origin.Last(time.Now().Add(-back))).Format("2006-01-02T15:04:05.000Z")
	}
	first := newest(30 * time.Second)
	h.order(t, fault.Fault{Effect: fault.Effect{Kind: "stale", Ms: 30_000}})
	last := newest(30 * time.Second)
	one := manifests()
	// The order may have fallen just behind the end of a segment.
	if !strings.Contains(one[0], first) && !strings.Contains(one[0], last) {
		t.Errorf("no segment of %s in\n%s", first, one[0])
	}
	if strings.Contains(one[0], newest(20*time.Second)) {
		t.Errorf("not stale:\n%s", one[0])
	}
	time.Sleep(origin.Segment + 100*time.Millisecond)
	if two := manifests(); one != two {
		t.Errorf("it moved:\n%s", two)
	}
	h.faults.Delete("x")
	three := manifests()
	for i := range three {
		if one[i] == three[i] {
			t.Errorf("it stays stale:\n%s", three[i])
		}
	}
}

// session is one of the playback API.
func (h *harness) session(t *testing.T, c *http.Client) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "https://"+h.name+service.APIPath, strings.NewReader(`{"asset": "/live/ts/master.m3u8"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+service.ViewerKey)
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Session struct{ ID string } }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Session.ID
}

func TestFaultsOfTLS(t *testing.T) {
	for _, proto := range []string{http2, http30} {
		t.Run(path.Base(proto), func(t *testing.T) {
			h := newHarness(t, "cdn-a")
			h.order(t, fault.Fault{Match: fault.Match{Country: "BR"}, Effect: fault.Effect{Kind: "tls_expired"}})
			_, _, err := h.get(h.client(brazil, proto), "/time")
			var invalid x509.CertificateInvalidError
			if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
				t.Errorf("got %v", err)
			}
			if _, _, err := h.get(h.client(germany, proto), "/time"); err != nil {
				t.Errorf("another country is hit: %v", err)
			}
			h.faults.Delete("x")
			h.order(t, fault.Fault{Effect: fault.Effect{Kind: "tls_slow", Ms: 200}})
			start := time.Now()
			if _, _, err := h.get(h.client(brazil, proto), "/time"); err != nil || time.Since(start) < 200*time.Millisecond {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	}
}
