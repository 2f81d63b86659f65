package probes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/tape"
)

// record records a run of the spec, and gives the bundle as its file has it.
func record(t *testing.T, s probes.Spec) (run.Run, *bundle.Bundle) {
	t.Helper()
	r, rec := probes.Record(context.Background(), s, tape.Limits{})
	before, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	made, err := rec.Bundle()
	if err != nil {
		t.Error(err)
		return r, nil
	}
	if after, err := json.Marshal(r); err != nil || !bytes.Equal(after, before) {
		t.Errorf("%v; the bundle has changed the run from\n%s to\n%s", err, before, after)
	}
	var file bytes.Buffer
	if err := made.Write(&file); err != nil {
		t.Error(err)
		return r, nil
	}
	b, err := bundle.Read(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Error(err)
	}
	return r, b
}

// replay plays a bundle's run again.
func replay(t *testing.T, then run.Run, b *bundle.Bundle) probes.Replayed {
	t.Helper()
	began := time.Now()
	now := probes.Replay(context.Background(), b)
	t.Logf("%.0f ms, %d exchanges; played again in %v", then.DurationMs, len(b.Exchanges), time.Since(began).Round(time.Millisecond))
	return now
}

// same checks that the verdict is the same, reached on the same way.
func same(t *testing.T, then run.Run, now probes.Replayed) {
	t.Helper()
	for _, c := range now.Changed {
		t.Error(c)
	}
	for _, m := range now.Missing {
		t.Errorf("missing: %s", m)
	}
	r := now.Run
	plain := func(detail string) string { return regexp.MustCompile(`[0-9.]+`).ReplaceAllString(detail, "#") } // times differ
	if r.ErrorType != then.ErrorType || r.ErrorStep != then.ErrorStep || plain(r.ErrorDetail) != plain(then.ErrorDetail) {
		t.Errorf("%s at %s: %s\nwas %s at %s: %s", r.ErrorType, r.ErrorStep, r.ErrorDetail, then.ErrorType, then.ErrorStep, then.ErrorDetail)
	}
	if r.Attempts != then.Attempts || r.Redirects != then.Redirects || len(r.Steps) != len(then.Steps) {
		t.Errorf("%d attempts, %d redirects, %d steps, were %d, %d, %d", r.Attempts, r.Redirects, len(r.Steps), then.Attempts, then.Redirects, len(then.Steps))
	}
	if r.RunID != then.RunID || !r.StartedAt.Equal(then.StartedAt) || r.Player != then.Player || r.Format != then.Format || r.Mode != then.Mode {
		t.Errorf("%s at %v, %s, %s, %s; was %s at %v, %s, %s, %s", r.RunID, r.StartedAt, r.Player, r.Format, r.Mode, then.RunID, then.StartedAt, then.Player, then.Format, then.Mode)
	}
	if r.DurationMs > then.DurationMs+250 || r.DurationMs < then.DurationMs-5000 { // a machine with much to do is late when it ends a run
		t.Errorf("%.1f ms, were %.1f", r.DurationMs, then.DurationMs)
	}
	if !then.OK || !r.OK {
		return
	}
	// A beat of the player's timer, where this machine was late with a request.
	if diff := math.Abs(*then.TTFFMs - *r.TTFFMs); diff > 150 {
		t.Errorf("a first frame after %.1f ms, was %.1f", *r.TTFFMs, *then.TTFFMs)
	}
	if sum := r.Phases.Sum(); math.Abs(sum-*r.TTFFMs) > 0.1 {
		t.Errorf("the phases add up to %.2f ms, want %.2f", sum, *r.TTFFMs)
	}
}

// A run that went well goes well again, at the same times, whatever the stream.
func TestReplayGood(t *testing.T) {
	srv := server(t, http.FileServer(http.Dir(media)))
	var off []float64
	for _, tt := range []struct{ name, manifest, player string }{
		{"TS", "/ts/master.m3u8", "hlsjs"},
		{"AES", "/aes/master.m3u8", "hlsjs"},
		{"byte ranges", "/range/master.m3u8", "hlsjs"},
		{"CMAF", "/cmaf/master.m3u8", "hlsjs"},
		{"CMAF in Shaka", "/cmaf/master.m3u8", "shaka"},
		{"DASH", "/cmaf/manifest-number.mpd", "dashjs"},
		{"the default for DASH", "/cmaf/manifest-number.mpd", ""},
		{"CMAF, warm", "/cmaf/master.m3u8", "exoplayer"},
		{"DASH in Shaka", "/cmaf/manifest-timeline.mpd", "shaka"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := spec(srv.URL+tt.manifest, tt.player, "")
			if strings.HasSuffix(tt.name, "warm") {
				s.Target.Connection = "warm"
			}
			then, b := record(t, s)
			must(t, then)
			now := replay(t, then, b)
			same(t, then, now)
			if then.OK && now.Run.OK {
				off = append(off, math.Abs(*then.TTFFMs-*now.Run.TTFFMs))
			}
		})
	}
	slices.Sort(off)
	t.Logf("first frames are off by %.3f ms", off)
	if m := off[len(off)/2]; m > 5 {
		t.Errorf("first frames are off by %.1f ms (median)", m)
	}
}
