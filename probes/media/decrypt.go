package media

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"time"
)

// Decrypter undoes AES-128-CBC with PKCS7 padding of a whole segment, as HLS
// uses it (RFC 8216bis section 4.4.4.4, METHOD=AES-128): ciphertext goes in as
// it arrives, plaintext comes out to a [Sink], each piece with the instant at
// which its ciphertext, and the key, were there. The last block is held back,
// for it may be padding; it keeps its own instant. A Decrypter is itself a
// Sink.
type Decrypter struct {
	sink  Sink
	mode  cipher.BlockMode
	keyAt time.Time

	held  []byte // ciphertext that waits for the key
	most  int    // of it; 0: MaxHeld
	marks marks  // its arrivals

	total   int64
	partial [aes.BlockSize]byte // ciphertext, less than a block
	n       int
	last    [aes.BlockSize]byte // plaintext, the last block
	lastAt  time.Time
	hasLast bool
	out     [16 << 10]byte
	err     error
}

// NewDecrypter gives plaintext to sink.
func NewDecrypter(sink Sink) *Decrypter { return &Decrypter{sink: sink} }

// Hold lets n bytes of ciphertext wait for the key in place of [MaxHeld], but no
// more than [MaxSealed]: for a key that is asked for when the segment is there.
func (d *Decrypter) Hold(n int) { d.most = min(n, MaxSealed) }

// SetKey gives the key and initialization vector, 16 bytes each, which were
// there at the instant, and hands on what waited for them. The error is
// [ErrDecrypt] for a wrong length, or Feed's.
func (d *Decrypter) SetKey(key, iv []byte, at time.Time) error {
	if d.err != nil {
		return d.err
	}
	if len(key) != aes.BlockSize || len(iv) != aes.BlockSize {
		return fmt.Errorf("%w: key of %d bytes, IV of %d: both must be 16", ErrDecrypt, len(key), len(iv))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDecrypt, err)
	}
	d.mode, d.keyAt = cipher.NewCBCDecrypter(block, iv), at
	start := int64(0)
	for _, m := range d.marks.list {
		if d.err = d.decrypt(d.held[start:m.end], m.at); d.err != nil {
			break
		}
		start = m.end
	}
	d.held, d.marks = nil, marks{}
	return d.err
}

// Feed takes the next piece of ciphertext, whose last byte had arrived at the
// instant. The error is [ErrFull] while the key is missing and [MaxHeld], or
// what Hold said, would be exceeded: p was not taken, and is to be fed again after SetKey, with its
// own instant. Else it is [ErrDecrypt], if the plaintext is no media, or
// another of the sink's.
func (d *Decrypter) Feed(p []byte, at time.Time) error {
	if d.err != nil {
		return d.err
	}
	if d.mode != nil {
		d.total += int64(len(p))
		d.err = d.decrypt(p, at)
		return d.err
	}
	if len(d.held)+len(p) > cmp.Or(d.most, MaxHeld) {
		return ErrFull
	}
	d.total += int64(len(p))
	d.held = append(d.held, p...)
	if len(p) > 0 {
		d.marks.add(int64(len(d.held)), at)
	}
	return nil
}

// Close says that the ciphertext ended, takes the padding off and closes the
// sink. The error is Feed's if there was one, and else [ErrNoKey],
// [ErrTruncated] for ciphertext that is not whole blocks, [ErrDecrypt] for
// padding that is none, or the sink's.
func (d *Decrypter) Close(at time.Time) error {
	switch {
	case d.err != nil:
		return d.err
	case d.mode == nil:
		return ErrNoKey
	case d.n > 0 || !d.hasLast:
		d.err = truncated("%d bytes of ciphertext are not whole blocks of %d", d.total, aes.BlockSize)
		return d.err
	}
	pad := int(d.last[aes.BlockSize-1])
	ok := pad >= 1 && pad <= aes.BlockSize
	for i := aes.BlockSize - pad; ok && i < aes.BlockSize; i++ {
		ok = int(d.last[i]) == pad
	}
	if !ok {
		d.err = fmt.Errorf("%w: bad padding: the key does not fit, or the segment is not whole", ErrDecrypt)
		return d.err
	}
	if d.err = d.sinkFeed(d.last[:aes.BlockSize-pad], d.lastAt); d.err == nil {
		d.err = noMedia(d.sink.Close(at))
	}
	return d.err
}

// decrypt hands on the plaintext of the blocks that p completes, but the last.
func (d *Decrypter) decrypt(p []byte, at time.Time) error {
	at = later(at, d.keyAt)
	if d.n > 0 {
		n := copy(d.partial[d.n:], p)
		d.n += n
		p = p[n:]
		if d.n < aes.BlockSize {
			return nil
		}
		d.n = 0
		if err := d.blocks(d.partial[:], at); err != nil {
			return err
		}
	}
	for len(p) >= aes.BlockSize {
		n := min(len(p), len(d.out)) / aes.BlockSize * aes.BlockSize
		if err := d.blocks(p[:n], at); err != nil {
			return err
		}
		p = p[n:]
	}
	d.n = copy(d.partial[:], p)
	return nil
}

// blocks decrypts at least one whole block.
func (d *Decrypter) blocks(p []byte, at time.Time) error {
	if d.hasLast {
		if err := d.sinkFeed(d.last[:], d.lastAt); err != nil {
			return err
		}
	}
	out := d.out[:len(p)]
	d.mode.CryptBlocks(out, p)
	most := len(out) - aes.BlockSize
	copy(d.last[:], out[most:])
	d.lastAt, d.hasLast = at, true
	return d.sinkFeed(out[:most], at)
}

func (d *Decrypter) sinkFeed(p []byte, at time.Time) error {
	if len(p) == 0 {
		return nil
	}
	return noMedia(d.sink.Feed(p, at))
}

// noMedia turns plaintext that is no media into what it means here.
func noMedia(err error) error {
	if errors.Is(err, ErrInvalid) {
		return fmt.Errorf("%w: the plaintext is no media, the key or IV does not fit: %v", ErrDecrypt, err)
	}
	return err
}
