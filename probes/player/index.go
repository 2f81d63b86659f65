package player

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// indexed is a representation whose index has been read.
type indexed struct {
	rep  *dash.Representation
	at   Moment
	init []byte // the initialization segment, where it came along
}

// maxIndexes bounds the indexes of one track that are read at once.
const maxIndexes = 100

// index reads the index (sidx; ISO/IEC 23009-1 clause 5.3.9.2) of a track's
// representation i, and those of the others where the model does: the track
// goes on when all are there, and what the others fail of is not held against
// it.
func (d *dashTitle) index(ctx context.Context, track string, of []*dash.Representation, i int, after Moment) (indexed, error) {
	if !d.model.IndexAll {
		return d.readIndex(ctx, track, of[i], after, true)
	}
	all := make([]indexed, len(of))
	errs := make([]error, len(of))
	var wg sync.WaitGroup
	for k, r := range of {
		if _, ok := r.Index(); ok && (k == i || k < maxIndexes) {
			wg.Go(func() { all[k], errs[k] = d.readIndex(ctx, track, r, after, k == i) })
		}
	}
	wg.Wait()
	if errs[i] != nil {
		return indexed{}, errs[i]
	}
	for k := range all {
		if errs[k] == nil {
			all[i].at = all[i].at.Later(all[k].at)
		}
	}
	return all[i], nil
}

// readIndex asks for one index, with the initialization segment before it where
// the model does and one range holds both. Unless it is to be used it is only
// received.
func (d *dashTitle) readIndex(ctx context.Context, track string, r *dash.Representation, after Moment, use bool) (indexed, error) {
	at, _ := r.Index()
	want, before := at.ByteRange, int64(0)
	init, hasInit := r.Init()
	if d.model.IndexWithInit && hasInit && init.URL == at.URL && init.ByteRange.Offset+init.ByteRange.Length == at.ByteRange.Offset {
		before = init.ByteRange.Length
		want = dash.ByteRange{Offset: init.ByteRange.Offset, Length: before + want.Length}
	}
	if want.Length > maxIndex {
		return indexed{}, failed(run.ErrTooLarge, run.StepManifest, fmt.Sprintf("it names an index of %d bytes, at most %d", want.Length, maxIndex), after)
	}
	var body bytes.Buffer
	x := indexed{}
	a := ask{
		name: run.StepIndex, track: track, url: d.cfg.rewrite(at.URL), rng: &fetch.Range{Offset: want.Offset, Length: want.Length},
		after: after, think: d.think.Index, maxBytes: maxIndex, metered: true,
	}
	if use {
		a.reset, a.body = body.Reset, collect(&body)
		a.done = func(*fetch.Exchange) (err error) {
			if x.rep, err = r.WithIndex(body.Bytes()[min(before, int64(body.Len())):]); err != nil {
				return &fault{run.ErrManifestInvalid, err}
			}
			return nil
		}
	}
	got, err := d.request(ctx, a)
	if err != nil {
		return indexed{}, err
	}
	x.at = got.Moment
	if before > 0 && use {
		x.init = body.Bytes()[:before]
	}
	return x, nil
}
