package frame

import (
	"bytes"
	"context"
	"image/color"
	"image/png"
	"math"
	"os/exec"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/player"
)

// bars is a picture of which half is white, with boxes at the places of [patches];
// moving is the same with a box that moves.
const (
	bars = "color=white:size=320x180:rate=25:duration=1.2,drawbox=x=0:y=0:w=160:h=180:color=black:t=fill," +
		"drawbox=x=10:y=10:w=60:h=60:color=red:t=fill,drawbox=x=80:y=10:w=60:h=60:color=lime:t=fill,drawbox=x=10:y=90:w=60:h=60:color=blue:t=fill,drawbox=x=80:y=90:w=60:h=60:color=gray:t=fill"
	moving = bars + "[a];color=black:size=30x20:rate=25[b];[a][b]overlay=x='200+30*t':y=150:shortest=1"
)

// patches are the pixels of [bars] that are looked at.
var patches = []struct {
	name string
	x, y int
	sdr  color.RGBA // as it was painted
}{
	{"white", 240, 90, color.RGBA{255, 255, 255, 255}},
	{"black", 75, 160, color.RGBA{0, 0, 0, 255}},
	{"red", 40, 40, color.RGBA{255, 0, 0, 255}},
	{"green", 110, 40, color.RGBA{0, 255, 0, 255}},
	{"blue", 40, 120, color.RGBA{0, 0, 255, 255}},
	{"grey", 110, 120, color.RGBA{128, 128, 128, 255}},
}

// encode is what ffmpeg makes of a source with these arguments.
func encode(t *testing.T, d *Decoder, source, format string, args ...string) player.Footage {
	t.Helper()
	all := append([]string{"-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", source}, args...)
	if format == "mp4" {
		all = append(all, "-movflags", "frag_keyframe+empty_moov+default_base_moof")
	}
	cmd := exec.Command(d.path, append(all, "-threads", "1", "-f", format, "pipe:1")...)
	var said bytes.Buffer
	cmd.Stderr = &said
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.Bytes())
	}
	if format != "mp4" {
		return player.Footage{Segment: b}
	}
	at := bytes.Index(b, []byte("moof")) - 4
	if at < 0 {
		t.Fatal("no fragment")
	}
	return player.Footage{Init: b[:at], Segment: b[at:]}
}

// codecs are how ffmpeg encodes in what streams are made of.
var codecs = []struct {
	name, format string
	hdr          string // that is tried beside none
	args         []string
}{
	{"HEVC", "mp4", pq, []string{"-c:v", "libx265", "-preset", "ultrafast", "-crf", "12", "-x265-params", "log-level=error:pools=1", "-tag:v", "hvc1"}},
	{"HEVC in TS", "mpegts", hlg, []string{"-c:v", "libx265", "-preset", "ultrafast", "-crf", "12", "-x265-params", "log-level=error:pools=1"}},
	{"VP9", "mp4", hlg, []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"}},
	{"AV1", "mp4", pq, []string{"-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8"}},
}

// ranged is a source and how it is encoded, with a transfer of high dynamic range
// whose paper is the source's white; without one as it is.
func ranged(source, transfer string, args []string) (string, []string) {
	if transfer == "" {
		return source + ",format=yuv420p", args
	}
	trc := map[string]string{pq: "smpte2084", hlg: "arib-std-b67"}[transfer]
	source += ",zscale=min=bt709:pin=bt709:tin=bt709:rin=full:m=bt2020nc:p=bt2020:t=" + trc + ":r=limited:npl=203,format=yuv420p10le"
	return source, append(args[:len(args):len(args)], "-color_primaries", "bt2020", "-color_trc", trc, "-colorspace", "bt2020nc")
}

// The colours of each codec are those that were painted, and of high dynamic range
// those of a screen that has none: paper becomes a light grey, and a colour is still
// one of its kind.
func TestColours(t *testing.T) {
	d := decoder(t)
	for _, c := range codecs {
		for _, transfer := range []string{"", c.hdr} {
			t.Run(strings.TrimSpace(c.name+" "+transfer), func(t *testing.T) {
				t.Parallel()
				source, args := ranged(moving, transfer, c.args)
				p, err := d.Decode(context.Background(), encode(t, d, source, c.format, args...))
				if err != nil {
					t.Fatal(err)
				}
				check(t, p, 320, 180)
				if p.HDR != transfer || p.Black || p.Frozen || p.Compared < 4 {
					t.Errorf("HDR %q, black %v, frozen %v of %d; want %q and neither", p.HDR, p.Black, p.Frozen, p.Compared, transfer)
				}
				img, err := png.Decode(bytes.NewReader(p.PNG))
				if err != nil {
					t.Fatal(err)
				}
				for _, patch := range patches {
					got := color.RGBAModel.Convert(img.At(patch.x, patch.y)).(color.RGBA)
					if want := patch.sdr; transfer == "" && off(got, want) > 10 || transfer != "" && !akin(got, want) {
						t.Errorf("%s is %v, was painted %v", patch.name, got, want)
					}
				}
			})
		}
	}
}

// off is by how much two colours differ in the channel in which they do most.
func off(a, b color.RGBA) int {
	most := 0
	for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B)} {
		most = max(most, d, -d)
	}
	return most
}

// akin tells whether a colour may be that of a painted one which was mapped: white,
// grey and black to what they become, others with the same channel foremost.
func akin(got, painted color.RGBA) bool {
	if painted.R == painted.G && painted.G == painted.B {
		become := map[uint8]uint8{255: 191, 128: 115, 0: 0}[painted.R]
		return off(got, color.RGBA{become, become, become, 255}) <= 10
	}
	for _, c := range [][2]uint8{{got.R, painted.R}, {got.G, painted.G}, {got.B, painted.B}} {
		if c[1] == 255 && c[0] < 150 || c[1] == 0 && c[0] > 60 {
			return false
		}
	}
	return true
}

// Black and frozen are told of high dynamic range, too.
func TestNotesOfHDR(t *testing.T) {
	d := decoder(t)
	hevc := codecs[0]
	for _, tt := range []struct {
		name, transfer, source string
		black, frozen          bool
	}{
		{"black", pq, "color=black:size=320x180:rate=25:duration=1.2", true, true},
		{"still", hlg, bars, false, true},
		{"hardly lit", pq, moving + ",lutrgb=r=val/9:g=val/9:b=val/9", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source, args := ranged(tt.source, tt.transfer, hevc.args)
			p, err := d.Decode(context.Background(), encode(t, d, source, hevc.format, args...))
			if err != nil {
				t.Fatal(err)
			}
			if p.HDR != tt.transfer || p.Black != tt.black || p.Frozen != tt.frozen {
				t.Errorf("HDR %q, black %v, frozen %v; want %q, %v, %v", p.HDR, p.Black, p.Frozen, tt.transfer, tt.black, tt.frozen)
			}
		})
	}
}

// Values of light that the standards name (ITU-R BT.2408 table 1, BT.2100), and the
// red of BT.709 as bright as paper has it.
func TestMapper(t *testing.T) {
	for _, tt := range []struct {
		name, transfer string
		r, g, b        float64
		want           color.RGBA
	}{
		{"nothing", pq, 0, 0, 0, color.RGBA{0, 0, 0, 255}},
		{"100 cd/m²", pq, 0.5081, 0.5081, 0.5081, color.RGBA{157, 157, 157, 255}},
		{"paper", pq, 0.5807, 0.5807, 0.5807, color.RGBA{191, 191, 191, 255}},
		{"the peak", pq, 0.7518, 0.7518, 0.7518, color.RGBA{255, 255, 255, 255}},
		{"beyond it", pq, 1, 1, 1, color.RGBA{255, 255, 255, 255}},
		{"red", pq, 0.5320, 0.3234, 0.2131, color.RGBA{208, 0, 0, 255}},
		{"nothing", hlg, 0, 0, 0, color.RGBA{0, 0, 0, 255}},
		{"51 cd/m²", hlg, 0.5, 0.5, 0.5, color.RGBA{124, 124, 124, 255}},
		{"paper", hlg, 0.75, 0.75, 0.75, color.RGBA{191, 191, 191, 255}},
		{"the peak", hlg, 1, 1, 1, color.RGBA{255, 255, 255, 255}},
		{"red", hlg, 0.7085, 0.2666, 0.1296, color.RGBA{208, 0, 0, 255}},
	} {
		m := newMapper(tt.transfer)
		deep := func(v float64) uint16 { return uint16(math.Round(v * 65535)) }
		if got := m.at(deep(tt.r), deep(tt.g), deep(tt.b)); off(got, tt.want) > 2 {
			t.Errorf("%s, %s: %v, want %v", tt.transfer, tt.name, got, tt.want)
		}
	}
}

// BenchmarkMapper maps a picture of 1920 × 1080 pixels.
func BenchmarkMapper(b *testing.B) {
	for _, transfer := range []string{pq, hlg} {
		b.Run(transfer, func(b *testing.B) {
			m := newMapper(transfer)
			b.ReportAllocs()
			for b.Loop() {
				for i := range 1920 * 1080 {
					m.at(uint16(i), uint16(i>>3), uint16(i>>5))
				}
			}
		})
	}
}
