package tape

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/clocks"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbered is n bytes of which each place can be told.
func numbered(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

// What passes is as it would be without a recorder, and beginning and end of it
// are kept, all with their times.
func TestRecorder(t *testing.T) {
	large, small := numbered(100_000), numbered(3000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			w.Write(large)
		case "/small":
			w.Write(small)
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	client := fetch.New(fetch.Config{AllowPrivate: true})
	defer client.Close()
	r := NewRecorder(client, Limits{Body: 10_000, Total: 12_000})
	for i, tt := range []struct {
		path       string
		rng        *fetch.Range
		size       int64
		head, tail []byte
	}{
		{"/large", nil, 100_000, large[:10_000-TailBytes], large[100_000-TailBytes:]},
		{"/small", nil, 3000, small[:2032], small[3000-TailBytes:]}, // what the total leaves is less than is always kept
		{"/large", &fetch.Range{Offset: 50_000, Length: 8000}, 8000, large[50_000:54_096], large[58_000-TailBytes : 58_000]},
		{"/none", nil, 19, []byte("404 page not found\n"), nil},
	} {
		var got bytes.Buffer
		start := time.Now()
		x := r.Do(context.Background(), fetch.Request{URL: srv.URL + tt.path, Range: tt.rng, Body: func(p []byte, _ time.Time) error { got.Write(p); return nil }})
		want := tt.size
		if x.Status == http.StatusNotFound {
			want = 0
		}
		if int64(got.Len()) != want {
			t.Errorf("%d: %d bytes passed, want %d", i, got.Len(), want)
		}
		take := r.Takes()[i]
		if take.Exchange != x || take.Size != tt.size {
			t.Errorf("%d: another exchange, or %d bytes of %d", i, take.Size, tt.size)
		}
		if tt.path == "/small" {
			tt.head, tt.tail = small, nil // within 4 KiB
		}
		if head, cut := take.Head(); !bytes.Equal(head, tt.head) || !bytes.Equal(take.tail, tt.tail) || cut != (tt.tail != nil) {
			t.Errorf("%d: kept %d and %d bytes, want %d and %d", i, len(head), len(take.tail), len(tt.head), len(tt.tail))
		}
		e := take.Bundled(start)
		sum := int64(0)
		for _, p := range take.Pieces() {
			sum += p.Bytes
			if end := ms(x.End.Sub(x.Start)); p.AtMs < *e.FirstByteMs || p.AtMs > end {
				t.Errorf("%d: a piece at %v ms, of an answer from %v to %v", i, p.AtMs, *e.FirstByteMs, end)
			}
		}
		if sum != tt.size || take.Until(x.End) != tt.size || take.Until(x.Start) != 0 {
			t.Errorf("%d: pieces of %d bytes, %d until the end, want %d", i, sum, take.Until(x.End), tt.size)
		}
		again := exchangeOf(&e, x.Start)
		if diff := cmp.Diff(x.Timing, again.Timing); diff != "" || again.Status != x.Status || again.Remote != x.Remote || !again.End.Equal(x.End) || !again.FirstByte.Equal(x.FirstByte) {
			t.Errorf("%d: %+v, was %+v\n%s", i, again, x, diff)
		}
		if (again.Err == nil) != (x.Err == nil) || x.Err != nil && (again.Err.Type != x.Err.Type || again.Err.Detail != x.Err.Detail) {
			t.Errorf("%d: %v, was %v", i, again.Err, x.Err)
		}
	}
}

// Beginning and end of what is held, in whole numbers of blocks.
func TestEnds(t *testing.T) {
	all := numbered(1000)
	for _, tt := range []struct {
		head, tail int // bytes held of 1000
		keep       int64
		want, end  int // bytes given, of which at the end
	}{
		{1000, 0, 1000, 1000, 0},
		{1000, 0, 100, 96 + 32, 32},
		{1000, 0, 990, 960 + 32, 32},
		{990, 10, 5000, 1000, 0},
		{500, 32, 5000, 480 + 32, 32},
		{500, 32, 500, 480 + 32, 32},
		{960, 32, 5000, 960 + 32, 32},
		{0, 32, 100, 32, 32},
	} {
		take := &Take{Size: 1000, head: [][]byte{all[:tt.head]}, held: int64(tt.head), tail: all[1000-tt.tail:]}
		data, tail := take.Ends(tt.keep)
		if len(data) != tt.want || int(tail) != tt.end {
			t.Errorf("%d and %d held, keep %d: %d bytes, %d at the end, want %d and %d", tt.head, tt.tail, tt.keep, len(data), tail, tt.want, tt.end)
			continue
		}
		from := len(data) - int(tail)
		if !bytes.Equal(data[:from], all[:from]) || !bytes.Equal(data[from:], all[1000-int(tail):]) {
			t.Errorf("%d and %d held, keep %d: other bytes", tt.head, tt.tail, tt.keep)
		}
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// play starts a player by a clock that leaps.
func play(t *testing.T, exchanges ...bundle.Exchange) (*Player, clocks.Clock) {
	t.Helper()
	clock := clocks.NewLeaping(noon)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { clock.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return NewPlayer(exchanges, clock, func(s string) string { return s }), clock
}

// slow is an exchange of ten seconds: one each for a queue, DNS, connect and
// TLS, then three until the first byte, then three pieces of ten bytes a second.
func slow() bundle.Exchange {
	first := 7000.0
	return bundle.Exchange{
		Request: bundle.Request{Method: "GET", URL: "http://a/"},
		QueueMs: 1000, DNSMs: 1000, ConnectMs: 1000, TLSMs: 1000, WaitMs: 3000, ReceiveMs: 3000, FirstByteMs: &first,
		Status: 200, Bytes: 30, Body: &bundle.Body{Size: 30, Data: numbered(30), Pieces: []bundle.Piece{{AtMs: 8000, Bytes: 10}, {AtMs: 9000, Bytes: 10}, {AtMs: 10_000, Bytes: 10}}},
	}
}

// Limits end an exchange where they would have: at their instant, with the
// failure of what it was at.
func TestPlayerLimits(t *testing.T) {
	const s = time.Second
	silent := slow()
	silent.Body.Pieces[1].AtMs, silent.Body.Pieces[2].AtMs, silent.ReceiveMs = 9500, 9600, 3000
	failed := slow()
	failed.FirstByteMs, failed.Status, failed.Body, failed.Bytes = nil, 0, nil, 0
	failed.WaitMs, failed.ReceiveMs = 2100, 0
	failed.Error = &bundle.Failure{Type: run.ErrTimeout, Detail: "as it was", Is: []string{"first_byte_timeout"}}
	cancelled := errors.New("not wanted any more")
	for _, tt := range []struct {
		name     string
		x        bundle.Exchange
		req      fetch.Request
		deadline time.Duration
		cancel   time.Duration
		end      time.Duration
		typ      run.ErrorType
		is       error
		got      int
	}{
		{name: "none", x: slow(), end: 10 * s, got: 30},
		{name: "later limits", x: slow(), req: fetch.Request{FirstByteTimeout: 8 * s, Timeout: 11 * s, StallTimeout: 2 * s}, end: 10 * s, got: 30},
		{name: "in the queue", x: slow(), req: fetch.Request{Timeout: s / 2}, end: s / 2, typ: run.ErrTimeout, is: fetch.ErrTimeout},
		{name: "in DNS", x: slow(), req: fetch.Request{FirstByteTimeout: 3 * s / 2}, end: 3 * s / 2, typ: run.ErrDNS, is: fetch.ErrFirstByteTimeout},
		{name: "connecting", x: slow(), deadline: 5 * s / 2, end: 5 * s / 2, typ: run.ErrConnect, is: context.DeadlineExceeded},
		{name: "in the handshake", x: slow(), deadline: 7 * s / 2, end: 7 * s / 2, typ: run.ErrTLS, is: context.DeadlineExceeded},
		{name: "waiting", x: slow(), req: fetch.Request{FirstByteTimeout: 5 * s, Timeout: 6 * s}, end: 5 * s, typ: run.ErrTimeout, is: fetch.ErrFirstByteTimeout},
		{name: "receiving", x: slow(), req: fetch.Request{Timeout: 8500 * time.Millisecond}, end: 8500 * time.Millisecond, typ: run.ErrTimeout, is: fetch.ErrTimeout, got: 10},
		{name: "silent", x: silent, req: fetch.Request{StallTimeout: 1200 * time.Millisecond}, end: 9200 * time.Millisecond, typ: run.ErrStalled, is: fetch.ErrStallTimeout, got: 10},
		{name: "silent until the deadline", x: silent, deadline: 9200 * time.Millisecond, end: 9200 * time.Millisecond, typ: run.ErrStalled, is: context.DeadlineExceeded, got: 10},
		{name: "given up", x: slow(), cancel: 9500 * time.Millisecond, end: 9500 * time.Millisecond, is: cancelled, got: 20},
		{name: "failed", x: failed, end: 6100 * time.Millisecond, typ: run.ErrTimeout, is: fetch.ErrFirstByteTimeout},
		{name: "failed, a little earlier", x: failed, req: fetch.Request{FirstByteTimeout: 6 * s}, end: 6 * s, typ: run.ErrTimeout, is: fetch.ErrFirstByteTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, clock := play(t, tt.x)
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			if tt.deadline > 0 {
				var end context.CancelFunc
				ctx, end = clocks.WithTimeout(ctx, clock, tt.deadline)
				defer end()
			}
			if tt.cancel > 0 {
				clock.AfterFunc(tt.cancel, func() { cancel(cancelled) })
			}
			var got bytes.Buffer
			tt.req.URL = "http://a/"
			tt.req.Body = func(b []byte, at time.Time) error {
				if want := 8*s + time.Duration(got.Len()/10)*s; tt.x.Body.Pieces[1].AtMs == 9000 && at.Sub(noon) != want {
					t.Errorf("a piece at %v, want %v", at.Sub(noon), want)
				}
				got.Write(b)
				return nil
			}
			x := p.Do(ctx, tt.req)
			if x.End.Sub(noon) != tt.end || x.Timing.Sum() != tt.end {
				t.Errorf("ended at %v, phases of %v, want %v", x.End.Sub(noon), x.Timing.Sum(), tt.end)
			}
			if !bytes.Equal(got.Bytes(), numbered(30)[:tt.got]) {
				t.Errorf("received %v", got.Bytes())
			}
			if tt.is == nil {
				if x.Err != nil {
					t.Error(x.Err)
				}
				return
			}
			if x.Err == nil || x.Err.Type != tt.typ || !errors.Is(x.Err, tt.is) {
				t.Errorf("%+v, want %s and %v", x.Err, tt.typ, tt.is)
			}
			if tt.x.Error != nil && x.Err.Detail != "as it was" {
				t.Errorf("%s", x.Err.Detail)
			}
		})
	}
}

// What was given up then is played up to there; what would come after nobody
// knows.
func TestPlayerGivenUp(t *testing.T) {
	x := slow()
	x.ReceiveMs, x.Bytes = 1500, 10
	x.Body.Size, x.Body.Data, x.Body.Pieces = 10, numbered(10), x.Body.Pieces[:1]
	x.Error = &bundle.Failure{Detail: "given up"}
	p, _ := play(t, x)
	got := p.Do(context.Background(), fetch.Request{URL: "http://a/"})
	if !errors.Is(got.Err, ErrMissing) || got.Err.Type != run.ErrInternal || got.End.Sub(noon) != 9500*time.Millisecond {
		t.Errorf("%v at %v", got.Err, got.End.Sub(noon))
	}
	if want := []string{"more than 10 bytes of GET http://a/, which was given up then"}; cmp.Diff(want, p.Missing()) != "" {
		t.Error(cmp.Diff(want, p.Missing()))
	}
	p, _ = play(t, x)
	stop := errors.New("enough")
	got = p.Do(context.Background(), fetch.Request{URL: "http://a/", Body: func([]byte, time.Time) error { return stop }})
	if !errors.Is(got.Err, stop) || got.Err.Type != "" || got.End.Sub(noon) != 8*time.Second || len(p.Missing()) != 0 {
		t.Errorf("%v at %v", got.Err, got.End.Sub(noon))
	}
}

// The same request again gets the next answer; method, range and address tell
// requests apart, and what a player says of itself does not.
func TestPlayerOrder(t *testing.T) {
	var all []bundle.Exchange
	for i, r := range []bundle.Request{
		{Method: "GET", URL: "http://a/?x=1&CMCD=bl%3D0"}, {Method: "GET", URL: "http://a/?x=1"}, {Method: "OPTIONS", URL: "http://a/?x=1"},
		{Method: "GET", URL: "http://a/?x=1", Range: &bundle.Range{Offset: 5}}, {Method: "GET", URL: "http://a/?x=2"},
	} {
		all = append(all, bundle.Exchange{Request: r, Status: 200 + i, StartMs: float64(i)})
	}
	p, _ := play(t, all...)
	for i, tt := range []struct {
		req  fetch.Request
		want int
	}{
		{fetch.Request{URL: "http://a/?x=2"}, 204},
		{fetch.Request{URL: "http://a/?x=1"}, 200},
		{fetch.Request{URL: "http://a/?x=1", Method: "OPTIONS"}, 202},
		{fetch.Request{URL: "http://a/?CMCD=mtp%3D1&x=1"}, 201},
		{fetch.Request{URL: "http://a/?x=1"}, 0},
		{fetch.Request{URL: "http://a/?x=1", Range: &fetch.Range{Offset: 5}}, 203},
		{fetch.Request{URL: "http://a/?x=1", Range: &fetch.Range{Offset: 5}}, 0},
	} {
		if x := p.Do(context.Background(), tt.req); x.Status != tt.want || (x.Err != nil) != (tt.want == 0) {
			t.Errorf("%d: status %d, %v, want %d", i, x.Status, x.Err, tt.want)
		}
	}
	want := []string{"GET http://a/?x=1", "GET http://a/?x=1, 0 bytes at 5"}
	if diff := cmp.Diff(want, p.Missing()); diff != "" {
		t.Error(diff)
	}
}

// A request waits for the time at which it went out, unless that is far off.
func TestPlayerLag(t *testing.T) {
	for _, tt := range []struct{ then, want float64 }{{300, 300}, {1000, 1000}, {1001, 0}, {60_000, 0}} {
		p, _ := play(t, bundle.Exchange{StartMs: tt.then, Request: bundle.Request{Method: "GET", URL: "u"}, Status: 200})
		if x := p.Do(context.Background(), fetch.Request{URL: "u"}); ms(x.Start.Sub(noon)) != tt.want {
			t.Errorf("went out after %v ms, then after %v, want %v", ms(x.Start.Sub(noon)), tt.then, tt.want)
		}
	}
}

// fixed is a client that gives the same answer at once, in pieces of 32 KiB.
type fixed []byte

func (f fixed) Do(_ context.Context, req fetch.Request) *fetch.Exchange {
	now := time.Now()
	for p := range slices.Chunk(f, 32<<10) {
		if err := req.Body(p, now); err != nil {
			panic(err)
		}
	}
	return &fetch.Exchange{Start: now, End: now, Status: 200}
}

// Of a run with more exchanges than a bundle holds the first are held; all pass.
func TestRecorderIsBounded(t *testing.T) {
	r := NewRecorder(fixed("body"), Limits{})
	passed := 0
	for range bundle.MaxExchanges + 10 {
		x := r.Do(context.Background(), fetch.Request{Body: func(p []byte, _ time.Time) error { passed += len(p); return nil }})
		if x.Status != 200 {
			t.Fatal(x.Status)
		}
	}
	if want := 4 * (bundle.MaxExchanges + 10); passed != want {
		t.Errorf("%d bytes passed, want %d", passed, want)
	}
	if n := len(r.Takes()); n != bundle.MaxExchanges {
		t.Errorf("%d exchanges are held, want %d", n, bundle.MaxExchanges)
	}
}

// BenchmarkRecorder is what recording costs beside passing on, of a body of 4 MB
// of which 1 MiB is kept.
func BenchmarkRecorder(b *testing.B) {
	body := fixed(numbered(4_000_000))
	sum := 0
	req := fetch.Request{Body: func(p []byte, _ time.Time) error { sum += len(p); return nil }}
	for _, recorded := range []bool{false, true} {
		b.Run(fmt.Sprintf("recorded=%v", recorded), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var c Client = body
				if recorded {
					c = NewRecorder(body, Limits{Body: 1 << 20})
				}
				c.Do(context.Background(), req)
			}
		})
	}
}
