// Package frame shows the first frame of a run as a viewer would see it, and
// tells a black picture and one that does not move.
//
// The entry is [Find], then [Decoder.Decode]. The decoding is done by ffmpeg,
// which is not part of the agent: a program of its own, started without a shell
// for one segment at a time, so that no more codecs have to be trusted than its
// user has installed.
//
// What goes into ffmpeg comes from servers. It is told the container, which is
// known by then, so that nothing passes for a playlist that names other files;
// it gets the bytes on its standard input, and may open files and pipes only
// (-protocol_whitelist). Bounds: [Timeout]; one thread; 256 MiB of each
// allocation; pictures of 8192 × 4320 pixels; 30 s of media; 64 MiB in each file
// that it writes, in a folder of their own, which is removed.
//
// The picture is that of the rendition that was played, turned and stretched as
// the stream says (display matrix, sample aspect ratio). Of high dynamic range (PQ,
// HLG) it is what a screen without it shows, as Chromium maps it. Dolby Vision
// whose pictures no other decoder can show (profile 5) has wrong colours.
package frame

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/firstframe/firstframe/probes/player"
)

// Timeout is how long decoding may take.
const Timeout = 30 * time.Second

// The errors of [Decoder.Decode].
var (
	// ErrProtected is a stream whose samples are encrypted: there is nothing to
	// be seen without a licence.
	ErrProtected = errors.New("its samples are encrypted, and no licence is asked for")
	// ErrDecode is what ffmpeg cannot decode.
	ErrDecode = errors.New("ffmpeg shows no picture")
)

// Picture is a first frame.
type Picture struct {
	PNG           []byte // as a viewer would see it; of what has more than 3840 pixels in a row or column a smaller one
	Small         []byte // the same as JPEG, at most 480 × 480 pixels and 512 KiB; nil where it could not be made
	Width, Height int    // of PNG, in pixels
	HDR           string // PQ, HLG: the high dynamic range that PNG is mapped from; empty: none

	// Black: hardly anything in it is brighter than black.
	Black bool
	// Frozen: none of the pictures that follow in the segment differs from it.
	// It is false where fewer than two were compared.
	Frozen bool
	// Compared is how many were, over Over.
	Compared int
	Over     time.Duration
}

// Notes say what is wrong with the picture, in words; none when nothing is.
func (p *Picture) Notes() []string {
	var notes []string
	if p.Black {
		notes = append(notes, "black")
	}
	if p.Frozen {
		notes = append(notes, fmt.Sprintf("frozen: it does not change in %.1f s", p.Over.Seconds()))
	}
	return notes
}

// Decoder decodes with ffmpeg.
type Decoder struct{ path string }

// Find finds ffmpeg in PATH. The error says how to install it.
func Find() (*Decoder, error) {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, fmt.Errorf("ffmpeg is not there, which decodes the picture; install it with: %s", cmp.Or(install[runtime.GOOS], "https://ffmpeg.org/download.html"))
	}
	return &Decoder{path}, nil
}

// install is how ffmpeg is installed; on Linux, of Debian and its kin.
var install = map[string]string{
	"linux":   "sudo apt-get install ffmpeg",
	"darwin":  "brew install ffmpeg",
	"windows": "winget install ffmpeg",
}

// Decode decodes the first frame. The errors are [ErrProtected], [ErrDecode],
// ctx's, or those of the files it works with.
func (d *Decoder) Decode(ctx context.Context, f player.Footage) (*Picture, error) {
	if f.Protected {
		return nil, ErrProtected
	}
	format, err := container(f)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "firstframe-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	transfer, err := d.run(ctx, dir, format, plain, f)
	if err != nil {
		return nil, err
	}
	p := &Picture{HDR: transfers[transfer]}
	if p.HDR != "" {
		if _, err := d.run(ctx, dir, format, deep, f); err != nil {
			return nil, err
		}
	}
	if err := p.look(dir); err != nil {
		return nil, err
	}
	return p, nil
}

// container is the segment's, as ffmpeg calls it. The error is ErrDecode.
func container(f player.Footage) (string, error) {
	switch {
	case len(f.Init) > 0:
		return "mp4", nil
	case len(f.Segment) > 0 && f.Segment[0] == 0x47:
		return "mpegts", nil
	case len(f.Segment) > 8:
		return "mp4", nil
	}
	return "", fmt.Errorf("%w: the segment is empty", ErrDecode)
}

// The sides of pictures, in pixels.
const (
	maxSide   = 3840
	smallSide = 480
)

// The files that ffmpeg makes.
const (
	fileFrame     = "frame.png"
	fileSmall     = "small.jpg"
	fileMotion    = "motion.gray"
	fileDeep      = "deep.png"
	fileSmallDeep = "small-deep.png"
)

// output is a file that ffmpeg makes.
type output struct{ file, filter, frames, format string }

// What ffmpeg makes of one decoding, the whole picture first: pictures of 8 bits to
// a channel and those in which motion is seen; pictures of 16 bits, their values as
// they are.
var (
	plain = []output{
		{fileFrame, "showinfo=checksum=0," + fit(maxSide), "1", "image2"},
		{fileSmall, fit(smallSide), "1", "image2"},
		{fileMotion, fmt.Sprintf("fps=%d,scale=%d:%d:flags=area,format=gray", motionRate, motionWidth, motionHeight), fmt.Sprint(motionFrames), "rawvideo"},
	}
	deep = []output{
		{fileDeep, fit(maxSide) + ",format=rgb48be", "1", "image2"},
		{fileSmallDeep, fit(smallSide) + ",format=rgb48be", "1", "image2"},
	}
)

// fit makes a picture as it is shown: with square pixels; of what is larger than
// size a smaller one.
func fit(size int) string {
	return fmt.Sprintf("scale=w='clip(round(iw*sar),1,8192)':h=ih,setsar=1,scale=w='min(%d,iw)':h='min(%[1]d,ih)':force_original_aspect_ratio=decrease", size)
}

// arguments are ffmpeg's. What it says is of the level info, for showinfo.
func arguments(format string, outputs []output) []string {
	args := []string{
		"-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-y", "-max_alloc", "268435456",
		"-protocol_whitelist", "pipe,file", "-threads", "1", "-max_pixels", "35389440", "-t", "30", "-f", format, "-i", "pipe:0",
	}
	for _, o := range outputs {
		args = append(args, "-map", "0:v:0", "-vf", o.filter, "-frames:v", o.frames, "-fs", "67108864", "-f", o.format)
		if o.format == "image2" {
			args = append(args, "-update", "1")
		}
		args = append(args, o.file)
	}
	return args
}

// run has ffmpeg decode into dir, and is the transfer that it says the first frame
// has; empty where it says none.
func (d *Decoder) run(ctx context.Context, dir, format string, outputs []output, f player.Footage) (transfer string, err error) {
	var said hearing
	cmd := exec.CommandContext(ctx, d.path, arguments(format, outputs)...)
	cmd.Dir, cmd.Stderr = dir, &said
	cmd.Stdin = newInput(f)
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("ffmpeg took too long, or was stopped: %w", ctx.Err())
	}
	// What it could decode is there even where the rest of the segment is not.
	if _, missing := os.Stat(filepath.Join(dir, outputs[0].file)); missing == nil {
		return said.transfer, nil
	}
	why := said.complaint
	if why == "" && err != nil {
		why = err.Error()
	}
	return "", fmt.Errorf("%w: %s", ErrDecode, why)
}
