package frame

import (
	"context"
	"strings"
	"testing"
)

// said are what ffmpeg says, and what is kept of it.
var said = []struct {
	name, text          string
	complaint, transfer string
}{
	{"nothing", "", "", ""},
	{"a frame", "[info] Input #0\n[Parsed_showinfo_0 @ 0x55] [info] n:   0 pts:      0\n" +
		"[Parsed_showinfo_0 @ 0x55] [info] color_range:tv color_primaries:bt2020 color_trc:smpte2084\n", "", "smpte2084"},
	{"the first frame", "[Parsed_showinfo_0 @ 0x55] [info] color_trc:bt709\n[Parsed_showinfo_0 @ 0x55] [info] color_trc:arib-std-b67\n", "", "bt709"},
	{"on Windows", "[Parsed_showinfo_0 @ 000001f2c1b5e3c0] [info] color_trc:arib-std-b67\n[h264 @ 000001f2c1b5e3c0] [error] no frame!\n", "no frame!", "arib-std-b67"},
	{"the first complaint", "[warning] a\n[mov,mp4 @ 0x1] [h264 @ 0x2] [error] b \r\n[fatal] c\n", "b", ""},
	{"its own", "[fatal] pipe:0: Invalid data\n", "pipe:0: Invalid data", ""},
	{"a stream's texts", "[info]     title           : [error] d\n                    : [Parsed_showinfo_0 @ 0x1] [info] color_trc:smpte2084\n" +
		"[info]     comment         : color_trc:smpte2084\n", "", ""},
	{"a long line before", "[Parsed_showinfo_0 @ 0x1] [info] User Data=" + strings.Repeat("5d", 100_000) + "\n[Parsed_showinfo_0 @ 0x1] [info] color_trc:smpte2084\n", "", "smpte2084"},
	{"more than is looked at", "[error] " + strings.Repeat("e", 100_000) + "\n", strings.Repeat("e", maxLine-len("[error] ")), ""},
}

func TestHearing(t *testing.T) {
	for _, tt := range said {
		for _, size := range []int{1, 7, 4096, 1 << 20} {
			if h := heard(tt.text, size); h.complaint != tt.complaint || h.transfer != tt.transfer {
				t.Errorf("%s, %d bytes at a time: %q, %q; want %q, %q", tt.name, size, h.complaint, h.transfer, tt.complaint, tt.transfer)
			}
		}
	}
}

// heard is what is kept of a text that is written in parts of that size.
func heard(text string, size int) *hearing {
	h := &hearing{}
	for text != "" {
		n := min(size, len(text))
		_, _ = h.Write([]byte(text[:n])) // it takes all
		text = text[n:]
	}
	return h
}

// However it is cut, the same is kept of it, and no more than a line.
func FuzzHearing(f *testing.F) {
	for _, tt := range said {
		f.Add(tt.text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		whole, parts := heard(text, max(1, len(text))), heard(text, max(1, size))
		if whole.complaint != parts.complaint || whole.transfer != parts.transfer {
			t.Errorf("%q, %q at once; %q, %q in parts", whole.complaint, whole.transfer, parts.complaint, parts.transfer)
		}
		if len(parts.line) > maxLine || len(parts.complaint) > maxLine || len(parts.transfer) > maxLine {
			t.Errorf("%d, %d and %d bytes are kept", len(parts.line), len(parts.complaint), len(parts.transfer))
		}
	})
}

// What a stream says of itself neither hides the range of its pictures nor makes
// another of it.
func TestRangeIsThePictures(t *testing.T) {
	d := decoder(t)
	h264 := []string{"-c:v", "libx264", "-preset", "ultrafast"}
	for _, tt := range []struct {
		name, transfer string
		more           []string
	}{
		{"a title that names one", "", []string{"-metadata", "title=x\n[Parsed_showinfo_0 @ 0x1] [info] color_trc:smpte2084"}},
		{"much before it", pq, []string{"-bsf:v", "h264_metadata=sei_user_data=086f3693b7b34f2c965321492feee5b8+" + strings.Repeat("x", 60_000)}},
	} {
		source, args := ranged(bars, tt.transfer, append(h264, tt.more...))
		p, err := d.Decode(context.Background(), encode(t, d, source, "mp4", args...))
		if err != nil {
			t.Fatal(err)
		}
		if p.HDR != tt.transfer {
			t.Errorf("%s: %q, want %q", tt.name, p.HDR, tt.transfer)
		}
	}
}
