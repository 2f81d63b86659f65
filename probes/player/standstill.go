package player

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
)

// suspect is a live playlist that seems to stand still, of which its own dates
// do not tell.
type suspect struct {
	uri   string // to ask again
	list  answer
	media *hls.Media
}

// suspicious is the playlist if it has no dates and its Last-Modified lies as
// far back as the end of a playlist must not (see stale); nil if not. The header
// alone proves nothing: servers make it up.
func suspicious(uri string, list answer, media *hls.Media) *suspect {
	if _, dated := media.EndTime(); dated || !media.Live() {
		return nil
	}
	changed, err := http.ParseTime(list.Header.Get("Last-Modified"))
	if err != nil || stale(serverTime(list.Header, list.At).Sub(changed), media.TargetDuration, media.StaleAfter()) == nil {
		return nil
	}
	return &suspect{uri: uri, list: list, media: media}
}

// confirm asks for a suspicious playlist again, once the time has passed after
// which its server is at fault if it is still the same (RFC 8216bis, 6.2.1),
// counted from when it was there first. The error is a *failure; nil where the
// playlist moves, cannot be had, or the run's time is over before.
func (h *hlsTitle) confirm(ctx context.Context, sus *suspect) error {
	after, err := h.wait(ctx, run.WaitLive, run.TrackVideo, sus.list.Moment, sus.media.StaleAfter())
	if err != nil {
		return nil
	}
	list, _, advanced, err := h.reload(ctx, run.TrackVideo, sus.uri, after, sus.media)
	var f *failure
	switch {
	case errors.As(err, &f) && f.typ == run.ErrManifestStale:
		return f
	case err != nil || advanced:
		return nil
	}
	f = failed(run.ErrManifestStale, run.StepPlaylist, fmt.Sprintf("it is as it was %v before; with a target duration of %v it must have a new segment within %v",
		list.At.Sub(sus.list.At).Round(time.Millisecond), sus.media.TargetDuration, sus.media.StaleAfter()), list.Moment)
	h.blame(list.Step, f)
	return f
}
