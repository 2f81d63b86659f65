package player

import (
	"time"

	"github.com/firstframe/firstframe/probes/media"
	"github.com/firstframe/firstframe/probes/run"
)

// MaxFootage bounds what is kept of a segment, in bytes.
const MaxFootage = 16 << 20

// Footage is what the first frame was shown from, as a decoder takes it: without
// the encryption of whole resources.
type Footage struct {
	Init    []byte // the initialization segment; empty where the segment has none
	Segment []byte // the segment, of which MaxFootage bytes at most are kept
	// Protected says that samples are encrypted (SAMPLE-AES, Common Encryption):
	// there is nothing to be seen without a licence, which is never asked for.
	Protected bool
}

// film keeps footage of a watch; nil keeps nothing.
type film struct{ Footage }

// film is for what comes of the track: nil where it is not to be kept.
func (s *session) film(track string) *film {
	if !s.cfg.Footage || track != run.TrackVideo {
		return nil
	}
	return &film{}
}

// init is to, of which the film takes a copy.
func (f *film) init(to media.Sink) media.Sink {
	if f == nil {
		return to
	}
	f.Init = nil
	return &copying{to, &f.Init}
}

// segment is to, of which the film takes a copy.
func (f *film) segment(to media.Sink) media.Sink {
	if f == nil {
		return to
	}
	f.Segment = nil
	return &copying{to, &f.Segment}
}

// footage is what was kept of a segment with this initialization segment, nil
// where it has none.
func (f *film) footage(p parts, init *media.Init) *Footage {
	if f == nil {
		return nil
	}
	f.Protected = p.protected || init != nil && init.Video() != nil && init.Video().Encrypted
	return &f.Footage
}

// copying is a sink that keeps a copy of the first bytes that it passes on.
type copying struct {
	media.Sink
	kept *[]byte
}

// Feed keeps p and passes it on.
func (c *copying) Feed(p []byte, at time.Time) error {
	*c.kept = append(*c.kept, p[:min(len(p), MaxFootage-len(*c.kept))]...)
	return c.Sink.Feed(p, at)
}
