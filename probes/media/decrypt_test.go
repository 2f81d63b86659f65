package media

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"
)

// collector is a Sink that keeps what it gets.
type collector struct {
	bytes.Buffer
	last   time.Time
	closed bool
	back   bool // an instant lay before the one before
}

func (c *collector) Feed(p []byte, at time.Time) error {
	c.back = c.back || at.Before(c.last)
	c.last = at
	c.Write(p)
	return nil
}

func (c *collector) Close(time.Time) error { c.closed = true; return nil }

var (
	explicitIV = unhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0") // of aes/360p
	sequenceIV = unhex("00000000000000000000000000000001") // of aes/240p/1.ts
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// TestDecryptPlaintext holds the plaintext against the files that were
// encrypted, by OpenSSL.
func TestDecryptPlaintext(t *testing.T) {
	key := file(t, lab+"aes/key.bin")
	want := file(t, lab+"ts/360p/0.ts")
	for _, piece := range []int{1, 15, 16, 17, 188, 1000, 65536} {
		var c collector
		d := NewDecrypter(&c)
		if err := d.SetKey(key, explicitIV, epoch); err != nil {
			t.Fatal(err)
		}
		if err := feed(d, file(t, lab+"aes/360p/0.ts"), piece); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.Bytes(), want) || !c.closed || c.back {
			t.Errorf("by %d: %d bytes of plaintext, want %d; closed %v, instants went back %v",
				piece, c.Len(), len(want), c.closed, c.back)
		}
	}
}

// TestDecryptKeyframe: the keyframe is there when the block that holds its last
// byte is, also if nothing follows for long.
func TestDecryptKeyframe(t *testing.T) {
	key := file(t, lab+"aes/key.bin")
	for _, tc := range []struct {
		name   string
		iv     []byte
		offset int64
	}{
		{"360p/0.ts", explicitIV, 5452},
		{"240p/1.ts", sequenceIV, 3384},
	} {
		b := file(t, lab+"aes/"+tc.name)
		block := (tc.offset + aes.BlockSize - 1) / aes.BlockSize * aes.BlockSize
		for _, piece := range []int{1, 16, 100, 1000, 65536} {
			for _, keyAt := range []int64{0, 1, 3000, block, 30000} {
				t.Run(fmt.Sprintf("%s by %d, key at %d", tc.name, piece, keyAt), func(t *testing.T) {
					f := NewFinder()
					d := NewDecrypter(f)
					given := false
					for i := 0; i < len(b); i += piece {
						if !given && int64(i) >= keyAt {
							given = true
							if err := d.SetKey(key, tc.iv, arrival(keyAt)); err != nil {
								t.Fatal(err)
							}
						}
						end := min(i+piece, len(b))
						if err := d.Feed(b[i:end], arrival(int64(end))); err != nil {
							t.Fatal(err)
						}
					}
					if !given {
						keyAt = int64(len(b)) + 500
						if err := d.SetKey(key, tc.iv, arrival(keyAt)); err != nil {
							t.Fatal(err)
						}
					}
					if err := d.Close(arrival(int64(len(b)))); err != nil {
						t.Fatal(err)
					}
					k, ok := f.Keyframe()
					want := later(arrived(b, block, piece), arrival(keyAt))
					if !ok || k.Offset != tc.offset {
						t.Fatalf("keyframe %v, want it to end at %d", k, tc.offset)
					}
					// Late, at most by what a dropped arrival costs.
					if late := k.At.Sub(want); late < 0 || late > 64*time.Microsecond {
						t.Errorf("%v after the instant that is true", late)
					}
				})
			}
		}
	}
}

func TestDecryptErrors(t *testing.T) {
	key := file(t, lab+"aes/key.bin")
	b := file(t, lab+"aes/360p/0.ts")
	wrong := bytes.Repeat([]byte{7}, 16)
	noPadding := encrypt(key, explicitIV, append(file(t, lab+"ts/360p/0.ts"), 0, 0, 0, 0))
	for _, tc := range []struct {
		name    string
		key, iv []byte
		b       []byte
		want    error
	}{
		{"no key", nil, nil, b, ErrNoKey},
		{"wrong key", wrong, explicitIV, b, ErrDecrypt},
		{"wrong IV", key, sequenceIV, b, ErrDecrypt},
		{"short key", key[:15], explicitIV, b, ErrDecrypt},
		{"long IV", key, append(explicitIV[:16:16], 0), b, ErrDecrypt},
		{"bad padding", key, explicitIV, noPadding, ErrDecrypt},
		{"ends between blocks", key, explicitIV, b[:16*500], ErrDecrypt},
		{"ends within a block", key, explicitIV, b[:16*500+3], ErrTruncated},
		{"empty", key, explicitIV, nil, ErrTruncated},
		{"HTML in place of ciphertext", key, explicitIV, bytes.Repeat([]byte("<html>oops</html>"), 16), ErrDecrypt},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := NewDecrypter(NewFinder())
			var err error
			if tc.key != nil {
				err = d.SetKey(tc.key, tc.iv, epoch)
			}
			if err == nil {
				err = feed(d, tc.b, 1000)
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if errors.Is(err, ErrInvalid) {
				t.Errorf("%v is of two classes", err)
			}
		})
	}
}

// encrypt is AES-128-CBC of whole blocks, padding included in plain.
func encrypt(key, iv, plain []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, plain)
	return out
}

func pad(p []byte) []byte {
	n := aes.BlockSize - len(p)%aes.BlockSize
	return append(bytes.Clone(p), bytes.Repeat([]byte{byte(n)}, n)...)
}

// TestDecryptFull: what is held is bounded, and nothing is lost by it.
func TestDecryptFull(t *testing.T) {
	t.Run("as a rule", func(t *testing.T) { testDecryptFull(t, MaxHeld, func(*Decrypter) {}) })
	t.Run("longer", func(t *testing.T) { testDecryptFull(t, 2*MaxHeld, func(d *Decrypter) { d.Hold(2 * MaxHeld) }) })
	t.Run("as long as can be", func(t *testing.T) { testDecryptFull(t, MaxSealed, func(d *Decrypter) { d.Hold(MaxSealed + 1) }) })
}

func testDecryptFull(t *testing.T, most int, prepare func(*Decrypter)) {
	plain := bytes.Repeat([]byte("0123456789"), most/8)
	key := file(t, lab+"aes/key.bin")
	b := encrypt(key, explicitIV, pad(plain))
	var c collector
	d := NewDecrypter(&c)
	prepare(d)
	const piece = 10000
	var err error
	at := 0
	for ; err == nil; at += piece {
		err = d.Feed(b[at:at+piece], arrival(int64(at)))
	}
	at -= piece
	if !errors.Is(err, ErrFull) || at+piece <= most || at > most {
		t.Fatalf("%v after %d bytes", err, at)
	}
	if err := d.SetKey(key, explicitIV, arrival(int64(at))); err != nil {
		t.Fatal(err)
	}
	if err := feed(d, b[at:], piece); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Bytes(), plain) {
		t.Errorf("%d bytes of plaintext differ from %d", c.Len(), len(plain))
	}
}

func FuzzDecrypter(f *testing.F) {
	f.Add([]byte("plain"), 3, 10)
	f.Add(file(f, lab+"ts/360p/0.ts")[:2000], 17, 700)
	f.Fuzz(func(t *testing.T, plain []byte, piece, keyAt int) {
		if piece < 1 || len(plain) > MaxHeld/2 {
			return
		}
		key := bytes.Repeat([]byte{9}, 16)
		b := encrypt(key, explicitIV, pad(plain))
		var c collector
		d := NewDecrypter(&c)
		keyed := false
		for i := 0; i < len(b); i += piece {
			if !keyed && i >= keyAt {
				keyed = true
				d.SetKey(key, explicitIV, epoch)
			}
			if err := d.Feed(b[i:min(i+piece, len(b))], arrival(int64(i))); err != nil {
				t.Fatal(err)
			}
			if piece > len(b) {
				break
			}
		}
		if !keyed {
			d.SetKey(key, explicitIV, epoch)
		}
		if err := d.Close(epoch); err != nil || !bytes.Equal(c.Bytes(), plain) {
			t.Fatalf("%v; %d bytes of plaintext, want %d", err, c.Len(), len(plain))
		}
		// Bytes that nobody encrypted may fail, and must not crash.
		wild := NewDecrypter(NewFinder())
		wild.SetKey(key, explicitIV, epoch)
		feed(wild, plain, min(piece, 1<<20))
	})
}
