package player

import (
	"context"
	"fmt"
	"time"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/media"
	"github.com/firstframe/firstframe/probes/run"
)

// keyRef is what decrypts whole segments: AES-128 in CBC mode, or AES-256 in
// GCM.
type keyRef struct {
	url string
	iv  [16]byte
	gcm bool
}

// decrypter undoes what encrypts a whole resource.
type decrypter interface {
	media.Sink
	SetKey(key, iv []byte, at time.Time) error
}

// decrypter is what undoes it. Where the key comes last the whole segment waits
// for it, as far as can be.
func (k *keyRef) decrypter(to media.Sink, order KeyOrder) decrypter {
	if k.gcm {
		return media.NewGCMDecrypter(to)
	}
	d := media.NewDecrypter(to)
	if order == KeyLast {
		d.Hold(maxHeldLast)
	}
	return d
}

// size is the key's, in bytes.
func (k *keyRef) size() int {
	if k.gcm {
		return 32
	}
	return 16
}

// maxHeldLast bounds the ciphertext that waits for a key that is asked for last, in
// bytes. Of more, the key is asked for before the end.
const maxHeldLast = 16 << 20

// key is a key on its way. What is below there is to be read once that is
// closed.
type key struct {
	url   string
	size  int // in bytes
	there chan struct{}
	bytes []byte
	at    Moment
}

// ready tells whether the key is there.
func (k *key) ready() bool {
	select {
	case <-k.there:
		return true
	default:
		return false
	}
}

// seal is what encrypts a resource as a whole.
type seal struct {
	ref *keyRef
	key *key
}

func sealOf(ref *keyRef, k *key) *seal {
	if ref == nil {
		return nil
	}
	return &seal{ref, k}
}

// Sealed is what a resource was encrypted with as a whole: AES-128 in CBC mode,
// or AES-256-GCM, where the IV is in the resource. It is as secret as the key.
type Sealed struct {
	Key []byte
	IV  [16]byte
	GCM bool
}

// open is what is known of it once the run is over; nil where the key did not
// come.
func (s *seal) open() *Sealed {
	if s == nil || !s.key.ready() {
		return nil
	}
	return &Sealed{Key: s.key.bytes, IV: s.ref.iv, GCM: s.ref.gcm}
}

// need is the key that r asks for; nil where r is. The same resource is one key.
func (w *watch) need(r *keyRef) *key {
	if r == nil {
		return nil
	}
	for _, k := range w.keys {
		if k.url == r.url && k.size == r.size() {
			return k
		}
	}
	k := &key{url: r.url, size: r.size(), there: make(chan struct{})}
	w.keys = append(w.keys, k)
	return k
}

// loadKey gets a key.
func (w *watch) loadKey(ctx context.Context, k *key, after Moment, asked func()) error {
	if w.model.Key == KeyLast && k != w.initKey {
		asked()
		if err := await(ctx, w.mediaThere); err != nil {
			return err
		}
		after = w.first()
	}
	var b []byte
	got, err := w.request(ctx, ask{
		name: run.StepKey, track: w.track, url: k.url, after: after, think: w.thinkKey, maxBytes: maxKey, asked: asked, length: w.length, following: w.parts.after,
		reset: func() { b = nil },
		body:  func(p []byte, _ time.Time) error { b = append(b, p...); return nil },
		done:  func(*fetch.Exchange) error { return keyFits(len(b), k.size) },
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k.bytes, k.at = b, got.Moment
	close(k.there)
	if k != w.mediaKey || w.decrypter == nil {
		return nil
	}
	err = w.decrypter.SetKey(k.bytes, w.parts.key.iv[:], got.At)
	if err == nil && w.ended {
		err = w.search(got.At)
	}
	return w.spoil(err, got.Moment)
}

// keyFits tells whether a key has the size that it must have. The error is a
// fault.
func keyFits(size, want int) error {
	if size != want {
		return &fault{run.ErrDecrypt, fmt.Errorf("a key of %d bytes, want %d (RFC 8216bis, 4.4.4.4)", size, want)}
	}
	return nil
}
