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

// seal is b under AES-256-GCM: IV, ciphertext, tag.
func seal(t testing.TB, key, iv, b []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(bytes.Clone(iv), iv, b, nil)
}

// TestGCMByOpenSSL: what another implementation has sealed: tone.aac, by Node's
// crypto over OpenSSL (createCipheriv "aes-256-gcm" with an IV of 16 bytes; IV,
// ciphertext and tag one after another).
func TestGCMByOpenSSL(t *testing.T) {
	key, err := hex.DecodeString("00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	f, b := NewAudioFinder(), file(t, "testdata/openssl-gcm.aac")
	d := NewGCMDecrypter(f)
	if err := d.SetKey(key, nil, epoch); err != nil {
		t.Fatal(err)
	}
	if err := feed(d, b, 100); err != nil {
		t.Fatal(err)
	}
	want := knownSound[0].want
	want.At = arrival(int64(len(b)))
	expect(t, f, want)
}

// TestGCM: the keyframe of a sealed segment is there when the segment's last
// byte is, and its key.
func TestGCM(t *testing.T) {
	key, plain := bytes.Repeat([]byte{7}, 32), file(t, lab+"ts/360p/0.ts")
	b := seal(t, key, explicitIV, plain)
	for _, keyAt := range []int64{0, 500, int64(len(b)) + 10} {
		for _, piece := range []int{1, 1000, 1 << 20} {
			t.Run(fmt.Sprintf("key at %d by %d", keyAt, piece), func(t *testing.T) {
				f := NewFinder()
				d := NewGCMDecrypter(f)
				last := int64(len(b))
				if keyAt < last {
					if err := d.SetKey(key, nil, arrival(keyAt)); err != nil {
						t.Fatal(err)
					}
				}
				err := feed(d, b, piece)
				if keyAt > last {
					if !errors.Is(err, ErrNoKey) {
						t.Fatalf("without its key: %v", err)
					}
					last = keyAt
					if err = d.SetKey(key, nil, arrival(keyAt)); err == nil {
						err = d.Close(arrival(keyAt))
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				want := known[0].want
				want.At = arrival(last)
				expect(t, f, want)
			})
		}
	}
}

func TestGCMFails(t *testing.T) {
	key, plain := bytes.Repeat([]byte{7}, 32), file(t, lab+"ts/360p/0.ts")
	b := seal(t, key, explicitIV, plain)
	flipped := bytes.Clone(b)
	flipped[5000] ^= 1
	for _, tc := range []struct {
		name   string
		key, b []byte
		want   error
	}{
		{"another key", bytes.Repeat([]byte{8}, 32), b, ErrDecrypt},
		{"a key of 16 bytes", key[:16], b, ErrDecrypt},
		{"a byte is wrong", key, flipped, ErrDecrypt},
		{"cut short", key, b[:len(b)-1], ErrDecrypt},
		{"no room for IV and tag", key, b[:31], ErrTruncated},
		{"no media inside", key, seal(t, key, explicitIV, []byte("<html>")), ErrDecrypt},
		{"in the clear", key, plain, ErrDecrypt},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := NewGCMDecrypter(NewFinder())
			err := d.SetKey(tc.key, nil, epoch)
			if err == nil {
				err = feed(d, tc.b, 1000)
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		d := NewGCMDecrypter(NewFinder())
		var err error
		piece := make([]byte, 1<<20)
		for range MaxSealed/len(piece) + 1 {
			err = d.Feed(piece, time.Time{})
		}
		if !errors.Is(err, ErrInvalid) || len(d.held) > 0 {
			t.Errorf("got %v, and %d bytes are held", err, len(d.held))
		}
	})
}

// TestSampleEncryption: what encrypts samples leaves the heads of NAL units,
// parameter sets and sizes as they are, so that the keyframe's end is found
// without a key: Apple's SAMPLE-AES in MPEG-TS (stream types 0xdb and 0xcf), and
// Common Encryption with cbcs.
func TestSampleEncryption(t *testing.T) {
	t.Run("SAMPLE-AES in ts", func(t *testing.T) {
		plain := file(t, lab+"ts/360p/0.ts")
		b := sampleAES(t, plain)
		if bytes.Equal(b[5*packetSize:20*packetSize], plain[5*packetSize:20*packetSize]) {
			t.Fatal("the pictures are in the clear")
		}
		f, sound := NewFinder(), NewAudioFinder()
		if err := errors.Join(feed(f, b, 1000), feed(sound, b, 1000)); err != nil {
			t.Fatal(err)
		}
		want := known[0].want
		want.At = arrived(b, want.Offset, 1000)
		expect(t, f, want)
		if k, ok := sound.Keyframe(); !ok || k.Offset != 14288 {
			t.Errorf("sound %v %v", k, ok)
		}
	})
	t.Run("cbcs", func(t *testing.T) {
		b := file(t, "testdata/cenc.mp4")
		i := bytes.Index(b, []byte("schm"))
		if i < 0 || string(b[i+8:i+12]) != "cenc" {
			t.Fatal("no schm box of cenc")
		}
		copy(b[i+8:], "cbcs")
		f := NewFinder()
		if err := feed(f, b, 1000); err != nil {
			t.Fatal(err)
		}
		expect(t, f, Keyframe{At: arrived(b, 3235, 1000), Offset: 3235, Track: 1, Kind: Sync, Codec: "avc1.64000c", Width: 320, Height: 180, Reorder: 2})
	})
}

// sampleAES is an MPEG-TS segment of H.264 and AAC as SAMPLE-AES leaves it to a
// reader without the key: other stream types, and within slices, from the 33rd
// byte on, bytes that make no start code and need none to be escaped.
func sampleAES(t *testing.T, ts []byte) []byte {
	t.Helper()
	out := bytes.Clone(ts)
	changed := 0
	for i, within := 0, -1; i < len(out); i += packetSize {
		p := out[i : i+packetSize]
		switch pid := int(p[1]&0x1f)<<8 | int(p[2]); pid {
		case 4096:
			for j := 5; j < packetSize-5; j++ {
				for _, s := range [][2]byte{{0x1b, 0xdb}, {0x0f, 0xcf}} {
					if p[j] == s[0] && p[j+1]&0xe0 == 0xe0 && p[j+2] <= 1 && p[j+3] == 0xf0 {
						p[j] = s[1]
						changed++
					}
				}
			}
		case 256:
			body := p[4:]
			if p[3]&0x20 != 0 {
				body = body[1+int(body[0]):]
			}
			if p[1]&0x40 != 0 {
				body, within = body[9+int(body[8]):], -1
			}
			for j := range body {
				if j+4 < len(body) && bytes.Equal(body[j:j+3], []byte{0, 0, 1}) {
					within = -1
					if n := body[j+3] & 31; n == 1 || n == 5 {
						within = 0
					}
				}
				if within >= 0 {
					if within++; within > 32+3 && body[j] > 3 && body[j]^0x80 > 3 {
						body[j] ^= 0x80
					}
				}
			}
		}
	}
	if changed < 2 {
		t.Fatalf("%d streams of the PMT changed, want 2 in each", changed)
	}
	return out
}
