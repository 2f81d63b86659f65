package report

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"golang.org/x/net/html"
)

// shots are first frames of all kinds; their texts come from outside.
var shots = []Frame{
	{Name: "cdn-a", File: "f-cdn-a.png", JPEG: []byte("\xff\xd8\xff picture"), Width: 640, Height: 360},
	{Name: "cdn-\x1b[31mb", File: "f-cdn-b.png", JPEG: []byte("\xff\xd8\xff dark"), Width: 512, Height: 288, HDR: "PQ", Notes: []string{"black", "frozen: it does not change in 1.8 s"}},
	{Missing: "ffmpeg says \x1b]0;no\x07<script>alert(1)</script>"},
}

func TestFramesOnATerminal(t *testing.T) {
	var b bytes.Buffer
	if err := New(&b, 80).Frames(shots); err != nil {
		t.Fatal(err)
	}
	want := `first frame  f-cdn-a.png  640 × 360  cdn-a
first frame  f-cdn-b.png  512 × 288, from HDR (PQ)  cdn-�[31mb
             black; frozen: it does not change in 1.8 s
first frame  none: ffmpeg says �]0;no�<script>alert(1)</script>
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestFramesOnAPage(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, []run.Run{failed()}, shots...); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	figures, images := find(root, "figure"), find(root, "img")
	if len(figures) != 3 || len(images) != 2 || len(find(root, "script")) > 0 {
		t.Fatalf("%d figures, %d images, %d scripts; want 3, 2, 0", len(figures), len(images), len(find(root, "script")))
	}
	for i, img := range images {
		data, ok := strings.CutPrefix(attr(img, "src"), "data:image/jpeg;base64,")
		if got, err := base64.StdEncoding.DecodeString(data); !ok || err != nil || !bytes.Equal(got, shots[i].JPEG) {
			t.Errorf("image %d is %q", i, attr(img, "src"))
		}
	}
	for i, want := range []string{"cdn-a 640 × 360", "cdn-�[31mb 512 × 288, from HDR (PQ) black; frozen: it does not change in 1.8 s", "ffmpeg says �]0;no�<script>alert(1)</script>"} {
		if got := strings.Join(strings.Fields(textOf(figures[i])), " "); got != want {
			t.Errorf("figure %d says %q, want %q", i, got, want)
		}
	}
}

// A page of very many pictures stays one that opens.
func TestFramesAreBounded(t *testing.T) {
	if n := len(figures(make([]Frame, 1000))); n != maxPictures {
		t.Errorf("%d pictures, want %d", n, maxPictures)
	}
}
