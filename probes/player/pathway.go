package player

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/steering"
)

// way is a pathway of HLS, and what is played of it.
type way struct {
	pathway  string         // empty without content steering
	clone    steering.Clone // that it is; zero when it is none
	variants []*hls.Variant // among which the model chooses
	audio    *hls.Rendition // nil when it is inside the variants
}

// base is the pathway whose variants are played: a clone's is that it was made
// of.
func (w *way) base() string { return cmp.Or(w.clone.BaseID, w.pathway) }

// variantURI is where a variant's playlist is; of sound only that of its
// rendition, where it has one.
func (h *hlsTitle) variantURI(w *way, v *hls.Variant) string {
	if h.content == soundOnly {
		if r := h.multi.AudioFor(v); r != nil {
			return w.renditionURI(r)
		}
	}
	return w.clone.URL(v.URI, w.clone.Variants, v.StableID)
}

// renditionURI is where a rendition's playlist is.
func (w *way) renditionURI(r *hls.Rendition) string {
	return w.clone.URL(r.URI, w.clone.Renditions, r.StableID)
}

// playlistURI is where a track's playlist is.
func (h *hlsTitle) playlistURI(w *way, track string, rendition int) string {
	switch {
	case h.multi == nil:
		return h.cfg.URL
	case track == run.TrackAudio:
		return w.renditionURI(w.audio)
	}
	return h.variantURI(w, w.variants[rendition])
}

// turned is the pathway that is gone over to while it plays on, and the playlists
// that were asked for then, before their tracks need them.
type turned struct {
	to atomic.Pointer[way] // nil: it is that with which playback started

	mu    sync.Mutex
	early map[string]*early // by track
}

// early is a playlist that is asked for before its track needs it.
type early struct {
	uri   string
	there chan struct{} // closed when what follows is known

	list  answer
	media *hls.Media
	err   error
}

// onWay is the pathway that is played now.
func (h *hlsTitle) onWay() *way { return cmp.Or(h.turned.to.Load(), &h.way) }

// over is another pathway as the one to go over to: each rendition's variant is that
// of the same rank by bandwidth, as players assume that pathways are alike; nil:
// there is nothing on it to play.
func (h *hlsTitle) over(id string, clone steering.Clone) *way {
	w := &way{pathway: id, clone: clone}
	all, there, err := h.fitting(h.multi.Candidates(w.base()), Moment{})
	if err != nil {
		return nil
	}
	_, there = h.among(all, there)
	slices.SortStableFunc(there, func(a, b *hls.Variant) int { return cmp.Compare(a.Bandwidth, b.Bandwidth) })
	w.variants = make([]*hls.Variant, len(h.ladder.renditions))
	for rank, i := range byKbps(h.ladder.renditions) {
		w.variants[i] = there[min(rank, len(there)-1)]
	}
	if now := h.onWay(); now.audio != nil {
		w.audio = cmp.Or(h.multi.AudioFor(w.variants[h.ladder.now()]), now.audio)
	}
	return w
}

// follow goes over to the pathway that a steering manifest prefers. What is under way
// of the other comes to its end.
func (h *hlsTitle) follow(ctx context.Context, told *steering.Manifest, at Moment) {
	was := h.onWay()
	id := told.Prefer(h.multi.Pathways())
	if id == "" || id == was.pathway {
		return
	}
	clone, _ := told.Clone(id)
	w := h.over(id, clone)
	switch {
	case w == nil:
	case h.model.Rebases:
		h.turned.to.Store(w)
	default:
		h.turn(ctx, was, w, at)
	}
}

// turn goes over to a pathway, and asks at once for those of its playlists that have
// not come.
func (h *hlsTitle) turn(ctx context.Context, was, to *way, at Moment) {
	wanted := map[string]*early{}
	rendition := h.ladder.now()
	for _, track := range []string{run.TrackVideo, run.TrackAudio} {
		if track == run.TrackAudio && to.audio == nil {
			continue
		}
		uri := h.playlistURI(to, track, rendition)
		if _, came := h.kept.at(uri); !came && uri != h.playlistURI(was, track, rendition) {
			wanted[track] = &early{uri: uri, there: make(chan struct{})}
		}
	}
	h.turned.mu.Lock()
	h.turned.early = maps.Clone(wanted)
	h.turned.mu.Unlock()
	h.turned.to.Store(to)
	var wg sync.WaitGroup
	for track, e := range wanted {
		wg.Go(func() {
			defer close(e.there)
			e.list, e.media, e.err = h.playlist(ctx, track, e.uri, at, h.think.SwitchPlaylist)
		})
	}
	wg.Wait()
}

// takeEarly is the playlist, where it was asked for before its track needs it;
// nil: it was not. It is answered once.
func (h *hlsTitle) takeEarly(ctx context.Context, track, uri string) (*early, error) {
	h.turned.mu.Lock()
	e := h.turned.early[track]
	h.turned.mu.Unlock()
	if e == nil || e.uri != uri {
		return nil, nil
	}
	select {
	case <-e.there:
	case <-ctx.Done():
		return nil, errGivenUp
	}
	h.turned.mu.Lock()
	defer h.turned.mu.Unlock()
	if h.turned.early[track] == e {
		delete(h.turned.early, track)
	}
	return e, e.err
}

// rebase lays a track's playlists on another pathway without asking for them again:
// what is relative in them is so to that pathway's from now on. Initialization
// segments and keys stay where they are.
func (h *hlsTitle) rebase(track string, l *hlsList, to *way) {
	was, of, present := cmp.Or(l.way, &h.way), 1, l.uri
	if l.way = to; track == run.TrackVideo {
		of = len(was.variants)
	}
	for i := range of {
		old, now := h.playlistURI(was, track, i), h.playlistURI(to, track, i)
		if k, ok := h.kept.at(old); ok {
			h.kept.keep(now, k.answer, h.moved(now, k.body, k.media))
		}
		if present == old {
			l.uri, l.media = now, h.moved(now, l.body, l.media)
		}
	}
}

// moved is a playlist as it is on the pathway where its own would be at uri.
func (h *hlsTitle) moved(uri string, body []byte, media *hls.Media) *hls.Media {
	m, err := h.parse(uri, body)
	if err != nil || len(m.Segments) != len(media.Segments) {
		return media // a delta, to which older segments were added
	}
	for i := range m.Segments {
		m.Segments[i].Map, m.Segments[i].Key = media.Segments[i].Map, media.Segments[i].Key
	}
	return m
}

// site is the service location of DASH from which media come.
type site struct {
	location string         // empty: that with which playback started
	clone    steering.Clone // that it is; zero when it is none
}

// location is the service location from which media come now; empty: there is none.
func (d *dashTitle) location() string {
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	return cmp.Or(d.on.site.location, d.p.pathway)
}

// follow takes the service location that a steering manifest prefers for all that is
// asked for from now on.
func (d *dashTitle) follow(_ context.Context, told *steering.Manifest, _ Moment) {
	mpd, _, _ := d.known()
	id := told.Prefer(mpd.ServiceLocations())
	if id == "" {
		return
	}
	clone, _ := told.Clone(id)
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	d.on.site = site{id, clone}
}

// placed is a representation at the service location from which media come now; itself
// where it is not there.
func (d *dashTitle) placed(r *dash.Representation) *dash.Representation {
	d.on.mu.Lock()
	now := d.on.site
	d.on.mu.Unlock()
	if now.location == "" {
		return r
	}
	at := func(location string) int {
		return slices.IndexFunc(r.BaseURLs, func(b dash.BaseURL) bool { return b.ServiceLocation == location })
	}
	if i := at(now.location); i >= 0 {
		return r.On(i)
	}
	i := at(now.clone.BaseID)
	if i < 0 || now.clone.BaseID == "" {
		return r
	}
	cloned := r.On(i)
	b := &cloned.BaseURLs[0]
	b.ServiceLocation, b.URL = now.location, now.clone.URL(b.URL, nil, "")
	return cloned
}
