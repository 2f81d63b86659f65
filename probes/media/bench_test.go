package media

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/asticode/go-astits"
)

// piece is what a read of a body yields, as a rule.
const piece = 16 << 10

// BenchmarkFinder measures whole segments; the peers are a hash of the same
// bytes, and another reader of MPEG-TS.
func BenchmarkFinder(b *testing.B) {
	ts, m4s := file(b, lab+"ts/720p/1.ts"), file(b, lab+"cmaf/v720/1.m4s")
	init := initOf(b, lab+"cmaf/v720/init.mp4")
	run := func(make func() *Finder, segment []byte, init *Init, want bool) func(*testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(segment)))
			b.ReportAllocs()
			for b.Loop() {
				f := make()
				if init != nil {
					f.SetInit(init, epoch)
				}
				feed(f, segment, piece)
				if _, ok := f.Keyframe(); ok != want {
					b.Fatalf("keyframe %v, want %v", ok, want)
				}
			}
		}
	}
	b.Run("ts", run(NewFinder, ts, nil, true))
	b.Run("ts without keyframe", run(NewFinder, dropRange(ts, 3*packetSize, 13000/packetSize*packetSize), nil, false))
	b.Run("fmp4", run(NewFinder, m4s, init, true))
	sound, soundInit := file(b, lab+"cmaf/a48/1.m4s"), initOf(b, lab+"cmaf/a48/init.mp4")
	b.Run("sound in ts", run(NewAudioFinder, ts, nil, true))
	b.Run("sound in fmp4", run(NewAudioFinder, sound, soundInit, true))
	b.Run("sound that is none", run(NewAudioFinder, dropPID(ts, 257), nil, false))
	b.Run("peer sha256", func(b *testing.B) {
		b.SetBytes(int64(len(ts)))
		for b.Loop() {
			h := sha256.New()
			for p := ts; len(p) > 0; p = p[min(piece, len(p)):] {
				h.Write(p[:min(piece, len(p))])
			}
		}
	})
	b.Run("peer astits", func(b *testing.B) {
		b.SetBytes(int64(len(ts)))
		b.ReportAllocs()
		for b.Loop() {
			d := astits.NewDemuxer(context.Background(), bytes.NewReader(ts), astits.DemuxerOptPacketSize(packetSize))
			n := 0
			for {
				if _, err := d.NextPacket(); err != nil {
					break
				}
				n++
			}
			if n != len(ts)/packetSize {
				b.Fatalf("%d packets of %d", n, len(ts)/packetSize)
			}
		}
	})
}

type discard struct{ n int }

func (d *discard) Feed(p []byte, _ time.Time) error { d.n += len(p); return nil }
func (d *discard) Close(time.Time) error            { return nil }

// BenchmarkDecrypter measures a segment; the peer is the cipher alone.
func BenchmarkDecrypter(b *testing.B) {
	segment, key := file(b, lab+"aes/360p/1.ts"), file(b, lab+"aes/key.bin")
	b.Run("segment", func(b *testing.B) {
		b.SetBytes(int64(len(segment)))
		b.ReportAllocs()
		for b.Loop() {
			var sink discard
			d := NewDecrypter(&sink)
			d.SetKey(key, explicitIV, epoch)
			if err := feed(d, segment, piece); err != nil || sink.n != 69748 {
				b.Fatal(err, sink.n)
			}
		}
	})
	b.Run("peer cipher alone", func(b *testing.B) {
		b.SetBytes(int64(len(segment)))
		out := make([]byte, len(segment))
		for b.Loop() {
			block, err := aes.NewCipher(key)
			if err != nil {
				b.Fatal(err)
			}
			cipher.NewCBCDecrypter(block, explicitIV).CryptBlocks(out, segment)
		}
	})
}

// TestFeedAllocates holds Feed to no allocation once a segment is under way.
func TestFeedAllocates(t *testing.T) {
	ts, m4s := file(t, lab+"ts/720p/0.ts"), file(t, lab+"cmaf/v720/0.m4s")
	init := initOf(t, lab+"cmaf/v720/init.mp4")
	inMdat := NewFinder()
	inMdat.SetInit(init, epoch)
	inMdat.Feed(m4s[:2000], epoch)
	inTS := NewFinder()
	inTS.Feed(ts[:4*packetSize], epoch)
	d := NewDecrypter(&discard{})
	d.SetKey(make([]byte, 16), make([]byte, 16), epoch)
	for _, tc := range []struct {
		name string
		sink Sink
		b    []byte
	}{
		{"mdat", inMdat, m4s[2000:3000]},
		{"video packets", inTS, ts[4*packetSize : 6*packetSize]},
		{"ciphertext", d, ts[:5000]},
	} {
		at := epoch
		n := testing.AllocsPerRun(50, func() {
			at = at.Add(time.Millisecond)
			if err := tc.sink.Feed(tc.b, at); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations per Feed", tc.name, n)
		}
	}
}
