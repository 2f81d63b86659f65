package frame

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/player"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// media are the lab's streams.
const media = "../../deploy/lab/media"

// decoder is ffmpeg; without it the test is skipped.
func decoder(t *testing.T) *Decoder {
	t.Helper()
	d, err := Find()
	if err != nil {
		t.Skip(err)
	}
	return d
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(media, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The lab's streams, which move, in each container and codec.
func TestDecode(t *testing.T) {
	d := decoder(t)
	for _, tt := range []struct {
		name, init, segment string
		width, height       int
	}{
		{"ts", "", "ts/360p/0.ts", 640, 360},
		{"fmp4", "cmaf/v720/init.mp4", "cmaf/v720/0.m4s", 1280, 720},
		{"hevc", "hevc/init.mp4", "hevc/0.m4s", 640, 360},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := player.Footage{Segment: file(t, tt.segment)}
			if tt.init != "" {
				f.Init = file(t, tt.init)
			}
			p, err := d.Decode(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			check(t, p, tt.width, tt.height)
			if p.Compared < 5 || p.Black || p.Frozen {
				t.Errorf("black %v, frozen %v, of %d compared; want neither", p.Black, p.Frozen, p.Compared)
			}
		})
	}
}

// check holds the picture against its size, and the small one against it.
func check(t *testing.T, p *Picture, width, height int) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(p.PNG))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != width || b.Dy() != height || p.Width != width || p.Height != height {
		t.Errorf("%v, said to be %d × %d; want %d × %d", b, p.Width, p.Height, width, height)
	}
	small, err := jpeg.Decode(bytes.NewReader(p.Small))
	if err != nil {
		t.Fatal(err)
	}
	b := small.Bounds()
	if most := min(smallSide, max(width, height)); max(b.Dx(), b.Dy()) != most {
		t.Errorf("small: %v, want %d on its longer side", b, most)
	}
	if r := float64(b.Dx()*height) / float64(b.Dy()*width); math.Abs(r-1) > 0.02 {
		t.Errorf("small: %v, not of the shape of %d × %d", b, width, height)
	}
}

// turn has the picture of an MP4 turned by 90 degrees: the matrix in its track
// header (ISO/IEC 14496-12 clause 8.3.2).
func turn(t *testing.T, mp4 []byte) {
	t.Helper()
	const matrix = 4 + 4 + 20 + 16 // from the box's type
	at := bytes.Index(mp4, []byte("tkhd"))
	if at < 0 || mp4[at+4] != 0 {
		t.Fatal("no track header of version 0")
	}
	for i, v := range []int32{0, 1 << 16, 0, -1 << 16, 0, 0, 180 << 16, 0, 1 << 30} {
		binary.BigEndian.PutUint32(mp4[at+matrix+4*i:], uint32(v))
	}
}

// What is wrong with a picture is told, and what looks alike is not; it is shown
// turned and stretched as the stream says.
func TestPicture(t *testing.T) {
	d := decoder(t)
	const still = "testsrc=size=320x180:rate=25:duration=0.04,loop=75:1:0,setpts=N/25/TB"
	for _, tt := range []struct {
		name, source string
		format       string
		more         []string
		width        int
		height       int
		black        bool
		frozen       bool
	}{
		{name: "moving", source: "testsrc=size=320x180:rate=25:duration=2", width: 320, height: 180},
		{name: "black", source: "color=black:size=320x180:rate=25:duration=2", width: 320, height: 180, black: true, frozen: true},
		{name: "black with a small logo", source: "color=black:size=320x180:rate=25:duration=2,drawbox=x=270:y=10:w=25:h=15:color=white:t=fill", width: 320, height: 180, black: true, frozen: true},
		{name: "dark scene", source: "testsrc=size=320x180:rate=25:duration=2,lutyuv=y=val/4+16", width: 320, height: 180},
		{name: "black, then fading in", source: "testsrc=size=320x180:rate=25:duration=2,fade=in:0:25", width: 320, height: 180, black: true},
		{name: "still, coarse", source: still, more: []string{"-crf", "40"}, width: 320, height: 180, frozen: true},
		{name: "still, with grain", source: still + ",noise=alls=6:allf=t", width: 320, height: 180, frozen: true},
		{name: "a small thing moves", source: still + "[a];color=white:size=8x8:rate=25:duration=3[b];[a][b]overlay=x='20+40*t':y=80", width: 320, height: 180},
		{name: "wide pixels", source: "testsrc=size=320x180:rate=25:duration=1,setsar=3/2", width: 480, height: 180},
		{name: "narrow pixels", source: "testsrc=size=320x180:rate=25:duration=1,setsar=1/2", width: 160, height: 180},
		{name: "turned", source: "testsrc=size=320x180:rate=25:duration=1", format: "mp4", width: 180, height: 320},
		{name: "one picture", source: "testsrc=size=320x180:rate=25:duration=0.04", width: 320, height: 180},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.format == "" {
				tt.format = "mpegts"
			}
			f := encode(t, d, tt.source, tt.format, append(tt.more, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")...)
			if tt.format == "mp4" {
				turn(t, f.Init)
			}
			p, err := d.Decode(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			check(t, p, tt.width, tt.height)
			if p.Black != tt.black || p.Frozen != tt.frozen {
				t.Errorf("black %v, frozen %v; want %v, %v (of %d in %v)", p.Black, p.Frozen, tt.black, tt.frozen, p.Compared, p.Over)
			}
			if notes := len(p.Notes()); notes != map[bool]int{true: 1}[tt.black]+map[bool]int{true: 1}[tt.frozen] {
				t.Errorf("%d notes", notes)
			}
		})
	}
}

// What cannot be shown is an error that says why; a segment that breaks off is
// shown as far as it came.
func TestDecodeFails(t *testing.T) {
	d := decoder(t)
	secret := filepath.Join(t.TempDir(), "secret.ts")
	if err := os.WriteFile(secret, file(t, "ts/360p/0.ts"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		f    player.Footage
		want error
	}{
		{"encrypted", player.Footage{Segment: file(t, "ts/360p/0.ts"), Protected: true}, ErrProtected},
		{"empty", player.Footage{}, ErrDecode},
		{"garbage", player.Footage{Segment: bytes.Repeat([]byte("no media "), 1000)}, ErrDecode},
		{"garbage in packets", player.Footage{Segment: bytes.Repeat([]byte("G"), 188*100)}, ErrDecode},
		{"a playlist that names a file", player.Footage{Segment: []byte("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n" + secret + "\n#EXT-X-ENDLIST\n")}, ErrDecode},
		{"a list of files", player.Footage{Segment: []byte("ffconcat version 1.0\nfile " + secret + "\n")}, ErrDecode},
		{"only sound", player.Footage{Init: file(t, "cmaf/a48/init.mp4"), Segment: file(t, "cmaf/a48/0.m4s")}, ErrDecode},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := d.Decode(context.Background(), tt.f)
			if !errors.Is(err, tt.want) || p != nil {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") || strings.HasSuffix(err.Error(), ": ") {
				t.Errorf("%q: want why, in one line", err)
			}
		})
	}
	whole := file(t, "ts/720p/0.ts")
	p, err := d.Decode(context.Background(), player.Footage{Segment: whole[:len(whole)/2]})
	if err != nil {
		t.Fatal(err)
	}
	check(t, p, 1280, 720)
}

// It ends with its context, and leaves nothing behind.
func TestDecodeEnds(t *testing.T) {
	d := decoder(t)
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := d.Decode(ctx, player.Footage{Segment: file(t, "ts/720p/0.ts")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the deadline", err)
	}
	if _, err := d.Decode(context.Background(), player.Footage{Segment: file(t, "ts/360p/0.ts")}); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// Without ffmpeg the error says what to type.
func TestFind(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(); err == nil || !strings.Contains(err.Error(), "install ffmpeg") {
		t.Errorf("%v, want how to install it", err)
	}
}

// Black is what is dark nearly everywhere.
func TestBlack(t *testing.T) {
	paint := func(luma uint8, white int) image.Image {
		img := image.NewGray(image.Rect(0, 0, 100, 100))
		for i := range img.Pix {
			img.Pix[i] = luma
			if i < white {
				img.Pix[i] = 255
			}
		}
		return img
	}
	blue := image.NewRGBA(image.Rect(0, 0, 10, 10))
	for i := range 100 {
		blue.Set(i%10, i/10, color.RGBA{B: 255, A: 255})
	}
	for _, tt := range []struct {
		name string
		img  image.Image
		want bool
	}{
		{"black", paint(0, 0), true},
		{"limited range", paint(16, 0), true},
		{"nearly black", paint(32, 0), true},
		{"dark grey", paint(33, 0), false},
		{"two per cent white", paint(0, 200), true},
		{"more white", paint(0, 201), false},
		{"blue is dark", blue, true},
		{"white", paint(255, 0), false},
	} {
		if got := black(tt.img); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Frozen is what differs nowhere by more than noise, in no picture.
func TestFrozen(t *testing.T) {
	change := func(at, by, pixels int) []byte {
		m := bytes.Repeat([]byte{100}, 10*motionSize)
		for i := range pixels {
			m[at*motionSize+i] += byte(by)
		}
		return m
	}
	for _, tt := range []struct {
		name   string
		motion []byte
		want   bool
	}{
		{"the same", change(0, 0, 0), true},
		{"noise", change(5, stillPixel, 50), true},
		{"one pixel", change(5, stillPixel+1, 1), false},
		{"the last picture", change(9, 50, 1), false},
		{"more than half, a little", change(5, 2, motionSize/2+1), false},
		{"half, a little", change(5, 2, motionSize/2), true},
	} {
		if got := frozen(tt.motion); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
