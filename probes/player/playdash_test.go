package player

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// halves are the adaptation sets of period p, of segments of half a second.
func halves() string {
	return strings.NewReplacer(`duration="24576"`, `duration="6400"`, `duration="92160"`, `duration="24000"`).Replace(fmt.Sprintf(sets, "p"))
}

// listed are sets of segments of half a second, of which there are n.
func listedHalves(n int) string {
	list := func(d int) string {
		return fmt.Sprintf(`><SegmentTimeline><S t="0" d="%d" r="%d"/></SegmentTimeline></SegmentTemplate>`, d, n-1)
	}
	return strings.NewReplacer(`duration="6400"/>`, list(6400), `duration="24000"/>`, list(24000)).Replace(halves())
}

// liveMPD is a live MPD of those sets since then, to be asked for each half second.
func liveMPD(since, delay, sets string) string {
	return fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q minimumUpdatePeriod="PT0.5S" suggestedPresentationDelay=%q><Period id="p" start="PT0S">%s</Period></MPD>`, since, delay, sets)
}

// An MPD that is long in coming holds no track up that can go on without it: of
// segments by number all can, beyond the copy's time.
func TestPlayOnSlowMPD(t *testing.T) {
	t.Parallel()
	manifest := liveMPD(stamp(10*time.Second), "PT1S", halves())
	o := dashOrigin(t, "", map[string]rule{"/m.mpd": func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > 1 {
			select {
			case <-r.Context().Done():
			case <-time.After(2 * time.Second):
			}
		}
		fmt.Fprint(w, manifest)
		return true
	}})
	m := quick(dashjs)
	m.Retry[run.StepManifest] = Policy{}
	r := played(t, playOn(t, o, "/m.mpd", m, 25*tenth), 25*tenth)
	if r.Played.Stalled > moment {
		t.Errorf("%d stalls of %v, want none: %s", r.Played.Stalls, r.Played.Stalled, names(r))
	}
	if n := len(strings.Fields(got(r, run.StepSegment, run.TrackVideo))); n < 5 {
		t.Errorf("%d segments in 2.5 s, want one each half second: %s", n, names(r))
	}
}

// An MPD that cannot be had any more: what has come is played, then it breaks off.
func TestPlayOnWithoutMPD(t *testing.T) {
	t.Parallel()
	manifest := liveMPD(stamp(10*time.Second), "PT1S", halves())
	o := dashOrigin(t, "", map[string]rule{"/m.mpd": func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		fmt.Fprint(w, manifest)
		return true
	}})
	r := brokeOff(t, playOn(t, o, "/m.mpd", quick(dashjs), 20*time.Second), run.ErrHTTP5xx, run.StepManifest)
	if got := r.Played.Media; got < 5*tenth || got > 5*time.Second {
		t.Errorf("%v played, want a second or two: %s", got, names(r))
	}
}

// A list of segments that grows no more: what has come is played, then it breaks off.
func TestPlayOnStandstillDASH(t *testing.T) {
	t.Parallel()
	o := dashOrigin(t, liveMPD(stamp(10*time.Second), "PT1S", listedHalves(20)), nil)
	r := brokeOff(t, playOn(t, o, "/m.mpd", quick(dashjs), 20*time.Second), run.ErrManifestStale, run.StepManifest)
	if got := r.Played.Media; got < 3*tenth || got > 15*tenth {
		t.Errorf("%v played, want about the second that was there: %s", got, names(r))
	}
}

// Two tracks that have used up an MPD get the next one by one request, and one that
// has not goes on with it meanwhile.
func TestCurrentOfTwoTracks(t *testing.T) {
	o := dashOrigin(t, fmt.Sprintf(`<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime=%q minimumUpdatePeriod="PT60S"><Period id="p" start="PT0S">%s</Period></MPD>`,
		stamp(time.Minute), fmt.Sprintf(sets, "p")), nil)
	mpd, err := dash.Parse(o.URL+"/m.mpd", []byte(o.manifests["/m.mpd"]))
	if err != nil {
		t.Fatal(err)
	}
	client := fetch.New(fetch.Config{AllowPrivate: true})
	defer client.Close()
	now := time.Now()
	s := &session{cfg: Config{Client: client}, model: dashjs, think: &Think{}, start: now}
	d := &dashTitle{session: s, p: &presentation{}, on: onwards{url: o.URL + "/m.mpd"}}
	d.scene = scene{mpd: mpd, at: Moment{now.Add(-time.Minute), PressPlay}, now: now.Add(-time.Minute)}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if same, err := d.current(ctx, nil); err != nil || same != mpd || len(o.log) != 0 {
		t.Errorf("%v: a track waits for an MPD that it does not need", err)
	}
	var next [2]*dash.MPD
	var errs [2]error
	var wg sync.WaitGroup
	for i := range next {
		wg.Go(func() { next[i], errs[i] = d.current(ctx, mpd) })
	}
	defer aside(ctx, d.keepMPD)()
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil || next[0] != next[1] || len(o.log) != 1 {
		t.Fatalf("%v; %d requests, want 1; the same MPD: %v", err, len(o.log), next[0] == next[1])
	}
	mpd.MinimumUpdatePeriod = new(time.Duration)
	d.on.newest, d.on.asked = mpd, now
	if after := d.due().Sub(now); after != minUpdate {
		t.Errorf("asked for again after %v where it may change at once, want %v", after, minUpdate)
	}
	mpd.MinimumUpdatePeriod = nil
	if _, err := d.current(ctx, mpd); err != errOver {
		t.Errorf("%v after the last MPD, want %v", err, errOver)
	}
}
