package player

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/media"
	"github.com/firstframe/firstframe/probes/run"
)

// goesBack tells whether a further try of what failed so is one of the rendition
// that the player began with (see [Failover]).
func (s *session) goesBack(a ask, fail *failure) bool {
	if !s.keepsBack() || s.ladder == nil || s.most > 0 || a.track != run.TrackVideo || a.name != run.StepSegment && a.name != run.StepInit {
		return false
	}
	l := s.ladder
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at != l.first && (fail.whole || fail.timedOut || a.name == run.StepInit || l.at == lowest(l.renditions))
}

// keepsBack tells whether the model may go back to a rendition, of which it has
// kept then what has come.
func (s *session) keepsBack() bool { return s.model.Failover != nil && s.model.Failover.Back }

// wholeBody tells whether an answer had a body, and all of it came, as a web page
// sees it: one that is compressed, or of a length not told before, it does not know
// to be whole.
func wholeBody(x *fetch.Exchange) bool {
	length, err := strconv.ParseInt(x.Header.Get("Content-Length"), 10, 64)
	return err == nil && x.Bytes > 0 && x.Status >= http.StatusBadRequest && x.Bytes == length && x.Header.Get("Content-Encoding") == ""
}

// goBack takes the rendition that the player began with.
func (l *ladder) goBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = l.first
}

// markAlone marks the rendition that is played as failed, though there is no other
// to go to.
func (s *session) markAlone() {
	if !s.keepsBack() || s.ladder == nil {
		return
	}
	s.ladder.mu.Lock()
	defer s.ladder.mu.Unlock()
	s.ladder.failed[s.ladder.at] = true
}

// keptList is a playlist on demand, which need not be asked for again.
type keptList struct {
	answer
	media *hls.Media
}

// keptLists are playlists on demand by where they are. The zero value is ready; it is
// safe for concurrent use.
type keptLists struct {
	mu  sync.Mutex
	all map[string]keptList
}

// keep keeps a playlist, where it is on demand.
func (k *keptLists) keep(uri string, list answer, media *hls.Media) {
	if media.Live() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[string]keptList{}
	}
	k.all[uri] = keptList{list, media}
}

// at is the playlist at uri; false: it has not come.
func (k *keptLists) at(uri string) (keptList, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list, ok := k.all[uri]
	return list, ok
}

// keptList is the playlist that the model keeps where it comes back to a rendition
// before the first frame; false: there is none.
func (h *hlsTitle) keptList(track, uri string) (keptList, bool) {
	if track != run.TrackVideo || !h.keepsBack() {
		return keptList{}, false
	}
	return h.kept.at(uri)
}

// keptInit is an initialization segment that came before its rendition was left.
type keptInit struct {
	init    *media.Init
	at      Moment
	footage []byte
}

// keepInit keeps the initialization segment where the model may come back to it.
func (w *watch) keepInit(init *media.Init, at Moment) {
	if !w.keepsBack() {
		return
	}
	k := keptInit{init: init, at: at}
	if w.film != nil {
		k.footage = w.film.Init
	}
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	if w.inits == nil {
		w.inits = map[resource]keptInit{}
	}
	w.inits[w.parts.init.resource()] = k
}

// takeInit takes the initialization segment that was kept; false: there is none.
func (w *watch) takeInit() (keptInit, bool) {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	k, ok := w.inits[w.parts.init.resource()]
	if ok && w.film != nil {
		w.film.Init = k.footage
	}
	return k, ok
}
