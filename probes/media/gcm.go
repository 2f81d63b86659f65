package media

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"time"
)

// MaxSealed bounds a segment under AES-256-GCM, in bytes.
const MaxSealed = 64 << 20

// gcmOverhead is the IV before the ciphertext and the tag behind it, 16 bytes
// each.
const gcmOverhead = 2 * aes.BlockSize

// GCMDecrypter undoes AES-256-GCM of a whole segment, as HLS uses it (RFC
// 8216bis section 4.4.4.4, METHOD=AES-256-GCM): the IV, the ciphertext, the tag.
// Nothing of it can be trusted before its last byte, so that it is held, up to
// [MaxSealed], and all plaintext has the instant of the end, or of the key. A
// GCMDecrypter is itself a [Sink].
type GCMDecrypter struct {
	sink  Sink
	aead  cipher.AEAD
	keyAt time.Time
	held  []byte
	err   error
}

// NewGCMDecrypter gives plaintext to sink.
func NewGCMDecrypter(sink Sink) *GCMDecrypter { return &GCMDecrypter{sink: sink} }

// SetKey gives the key of 32 bytes, which was there at the instant. The IV is in
// the segment; the one given here is not looked at. The error is [ErrDecrypt]
// for a wrong length.
func (d *GCMDecrypter) SetKey(key, _ []byte, at time.Time) error {
	if d.err != nil {
		return d.err
	}
	if len(key) != 32 {
		return fmt.Errorf("%w: key of %d bytes, must be 32", ErrDecrypt, len(key))
	}
	block, err := aes.NewCipher(key)
	if err == nil {
		d.aead, err = cipher.NewGCMWithNonceSize(block, aes.BlockSize)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDecrypt, err)
	}
	d.keyAt = at
	return nil
}

// Feed takes the next piece. The error is [ErrInvalid] beyond MaxSealed.
func (d *GCMDecrypter) Feed(p []byte, _ time.Time) error {
	if d.err == nil && len(d.held)+len(p) > MaxSealed {
		d.err = invalid("a segment under AES-256-GCM of more than %d bytes", MaxSealed)
		d.held = nil
	}
	if d.err == nil {
		d.held = append(d.held, p...)
	}
	return d.err
}

// Close says that the segment ended, opens it and hands it on. The error is
// Feed's if there was one, and else [ErrNoKey] (Close may be called again after
// SetKey), [ErrTruncated] for a segment without room for IV and tag,
// [ErrDecrypt] for one that the key does not open, or the sink's.
func (d *GCMDecrypter) Close(at time.Time) error {
	switch {
	case d.err != nil:
		return d.err
	case d.aead == nil:
		return ErrNoKey
	case len(d.held) < gcmOverhead:
		d.err = truncated("%d bytes are no IV and tag of AES-256-GCM", len(d.held))
		return d.err
	}
	iv, sealed := d.held[:aes.BlockSize], d.held[aes.BlockSize:]
	plain, err := d.aead.Open(sealed[:0], iv, sealed, nil)
	d.held = nil
	if err != nil {
		d.err = fmt.Errorf("%w: the key does not open the segment, or it is not whole: %w", ErrDecrypt, err)
		return d.err
	}
	at = later(at, d.keyAt)
	if d.err = noMedia(d.sink.Feed(plain, at)); d.err == nil {
		d.err = noMedia(d.sink.Close(at))
	}
	return d.err
}
