package probes_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
)

// FuzzReplay: whatever a bundle says, its run is played to an end, and soon.
func FuzzReplay(f *testing.F) {
	const (
		manifest = `{"step":"manifest","start_ms":1,"request":{"method":"GET","url":"http://a/m"},"queue_ms":0,"dns_ms":1,"connect_ms":1,"tls_ms":0,"wait_ms":5,"receive_ms":1,"first_byte_ms":7,"status":200,"bytes":9,"body":{"file":"bodies/0001","size":100,"text":true,"pieces":[{"at_ms":8,"bytes":100}]}}`
		segment  = `{"step":"segment","start_ms":9,"request":{"method":"GET","url":"http://a/segment"},"queue_ms":0,"dns_ms":0,"connect_ms":0,"tls_ms":0,"wait_ms":5,"receive_ms":9,"reused":true,"first_byte_ms":5,"status":200,"bytes":9000,"failure":{"type":"reset","detail":"x","is":["truncated"]},"body":{"size":90000,"cut":true,"pieces":[{"at_ms":6,"bytes":90000}]}}`
		moved    = `{"step":"manifest","start_ms":1,"request":{"method":"GET","url":"http://a/m"},"queue_ms":0,"dns_ms":1,"connect_ms":1,"tls_ms":0,"wait_ms":5,"receive_ms":1,"first_byte_ms":7,"status":302,"location":"http://a/m?1","bytes":9}`
		refused  = `{"step":"manifest","start_ms":1,"request":{"method":"GET","url":"http://a/m"},"queue_ms":0,"dns_ms":1,"connect_ms":20000,"tls_ms":0,"wait_ms":0,"receive_ms":0,"bytes":0,"connects":[{"network":"tcp","address":"[::1]:80","start_ms":1,"error":"x"}],"failure":{"type":"connect","detail":"x","is":["connect_timeout"]}}`
	)
	f.Add(manifest+"\n"+segment, playlist, "hlsjs@1.7.4")
	f.Add(manifest+"\n"+manifest, strings.TrimSuffix(playlist, "#EXT-X-ENDLIST\n"), "shaka")
	f.Add(moved, "", "")
	f.Add(refused, "", "dashjs")
	f.Add(manifest, `<MPD type="dynamic" availabilityStartTime="2026-03-01T11:00:00Z"><UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/m"/><Period/></MPD>`, "dashjs")
	f.Fuzz(func(t *testing.T, lines, first, player string) {
		b := &bundle.Bundle{Run: run.Run{StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), RunID: "1", Player: player}}
		b.Probe = bundle.ProbeOf(run.Target{URL: "http://a/m", Timeout: 30 * time.Second}, run.CDN{}, run.App{Player: player}, bundle.Network{})
		d := json.NewDecoder(strings.NewReader(lines))
		for d.More() && len(b.Exchanges) < 10 {
			var x bundle.Exchange
			if d.Decode(&x) != nil {
				return
			}
			if body := x.Body; body != nil && len(b.Exchanges) == 0 {
				body.Data = []byte(first)
			}
			b.Exchanges = append(b.Exchanges, x)
		}
		if b.Check() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		again := probes.Replay(ctx, b)
		if ctx.Err() != nil {
			t.Fatal("it goes on")
		}
		if again.Run.DurationMs > 31_000 || !again.Run.OK && again.Run.ErrorType == "" {
			t.Errorf("%.0f ms, ok %v, %q", again.Run.DurationMs, again.Run.OK, again.Run.ErrorType)
		}
	})
}
