package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/fault"
)

// No body that fell silent outlives the edge: when that is closed each request is
// in the ledger.
func TestCloseEndsEverything(t *testing.T) {
	h := newHarness(t, "cdn-a")
	h.order(t, fault.Fault{Effect: fault.Effect{Kind: "stall"}})
	begun, done := make(chan struct{}), make(chan error, len(protocols))
	for _, proto := range protocols {
		c := h.client(brazil, proto)
		go func() {
			res, err := c.Get("https://" + h.name + "/vod/ts/360p/0.ts")
			begun <- struct{}{}
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			done <- err
		}()
	}
	for range protocols { // the answers have begun: they are in the edge's hands
		<-begun
	}
	start := time.Now()
	if err := h.edge.Close(); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if n := len(h.entries(t)); n != len(protocols) {
		t.Errorf("%d of %d requests have ended with the edge", n, len(protocols))
	}
	for range protocols {
		if err := <-done; err == nil {
			t.Error("a cut body passes for whole")
		}
	}
}

// held is an answer that begins when it is let go.
type held struct {
	http.ResponseWriter
	begun, goOn chan struct{}
}

func (h *held) WriteHeader(status int) {
	close(h.begun)
	<-h.goOn
	h.ResponseWriter.WriteHeader(status)
}

// The edge is closed when no request is under way any more, and none begins after
// that.
func TestCloseWaits(t *testing.T) {
	h := newHarness(t, "cdn-a")
	request := httptest.NewRequestWithContext(h.edge.withConn(t.Context(), nil), http.MethodGet, "/none", nil)
	answer := &held{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	go h.edge.ServeHTTP(answer, request)
	<-answer.begun
	closed := make(chan error)
	go func() { closed <- h.edge.Close() }()
	select {
	case <-closed:
		t.Fatal("closed while a request is answered")
	case <-time.After(100 * time.Millisecond):
	}
	close(answer.goOn)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler || len(h.entries(t)) != 1 {
			t.Errorf("a request after that: %v, %d in the ledger, want that of the one before", p, len(h.entries(t)))
		}
	}()
	h.edge.ServeHTTP(httptest.NewRecorder(), request)
}
