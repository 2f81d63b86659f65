package report

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// maxPictures bounds the pictures of a page, in number.
const maxPictures = 60

// Frame is the first frame of a run.
type Frame struct {
	Name          string // what was played, as far as it tells it from others; may be empty
	File          string // that the whole picture is in; empty where there is none
	JPEG          []byte // a small picture, for a page; nil where there is none
	Width, Height int    // of the whole picture, in pixels
	HDR           string // PQ, HLG: the high dynamic range that it is mapped from; empty: none
	Notes         []string
	Missing       string // why there is no picture; empty where there is one
}

// Frames lists first frames: where the pictures are, and what is wrong with
// them.
func (p *Printer) Frames(frames []Frame) error {
	var b strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&b, "%s  ", p.style.bold.Render("first frame"))
		switch {
		case f.Missing != "":
			fmt.Fprintf(&b, "%s", p.style.warn.Render("none: "+clean(f.Missing)))
		default:
			fmt.Fprintf(&b, "%s  %s", clean(f.File), p.style.dim.Render(f.size()))
		}
		if f.Name != "" {
			fmt.Fprintf(&b, "  %s", p.style.dim.Render(clean(f.Name)))
		}
		b.WriteByte('\n')
		if len(f.Notes) > 0 {
			indent := strings.Repeat(" ", lipgloss.Width("first frame  "))
			fmt.Fprintln(&b, indent+p.style.warn.Render(strings.Join(f.Notes, "; ")))
		}
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}

// size is the picture's, and what it is mapped from.
func (f *Frame) size() string {
	text := fmt.Sprintf("%d × %d", f.Width, f.Height)
	if f.HDR != "" {
		text += ", from HDR (" + f.HDR + ")"
	}
	return text
}

// figure is a first frame on a page.
type figure struct {
	Name, Size, Notes, Missing string
	Image                      template.URL // this package's own; empty where there is no picture
}

// figures are the frames that a page shows.
func figures(frames []Frame) []figure {
	var all []figure
	for _, f := range frames[:min(len(frames), maxPictures)] {
		g := figure{Name: clean(f.Name), Notes: clean(strings.Join(f.Notes, "; ")), Missing: clean(f.Missing)}
		if f.Missing == "" {
			g.Size = f.size()
		}
		if len(f.JPEG) > 0 {
			g.Image = template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(f.JPEG))
		}
		all = append(all, g)
	}
	return all
}
