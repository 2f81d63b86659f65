package frame

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/firstframe/firstframe/probes/player"
)

// The bounds on what ffmpeg writes, in bytes.
const (
	maxPNG   = 64 << 20
	maxSmall = 512 << 10
)

// smallQuality is that of the small picture, of 100.
const smallQuality = 90

// Motion is seen in small grey pictures.
const (
	motionWidth, motionHeight = 64, 36
	motionRate                = 5 // a second
	motionFrames              = 50
	motionSize                = motionWidth * motionHeight
)

// What is told from pictures. A dark pixel is one that a limited range of 16 to
// 235 makes nearly black; codecs leave noise in what does not move.
const (
	darkLuma   = 32   // of 255, and below: as ffmpeg's blackframe
	blackShare = 0.98 // of a black picture is dark, at least
	stillMean  = 1    // of 255: so little differs a picture that does not move, on average
	stillPixel = 12   // of 255: so little each of its pixels
)

// look fills p with what ffmpeg has made.
func (p *Picture) look(dir string) error {
	img, err := p.still(dir)
	if err != nil {
		return err
	}
	p.Width, p.Height = img.Bounds().Dx(), img.Bounds().Dy()
	p.Black = black(img)
	motion, err := read(dir, fileMotion, motionSize*motionFrames)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.Compared = len(motion) / motionSize
	if p.Compared > 1 {
		p.Over = time.Duration(p.Compared-1) * time.Second / motionRate
		p.Frozen = frozen(motion)
	}
	return nil
}

// still sets both pictures, and is the first of them.
func (p *Picture) still(dir string) (img image.Image, err error) {
	if p.HDR != "" {
		return p.mapped(dir)
	}
	if p.PNG, err = read(dir, fileFrame, maxPNG); err != nil {
		return nil, err
	}
	if p.Small, err = read(dir, fileSmall, maxSmall); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if img, err = png.Decode(bytes.NewReader(p.PNG)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDecode, err)
	}
	return img, nil
}

// mapped sets both pictures to what a screen without high dynamic range shows.
func (p *Picture) mapped(dir string) (image.Image, error) {
	m := newMapper(p.HDR)
	deep, err := read(dir, fileDeep, maxPNG)
	if err != nil {
		return nil, err
	}
	img, err := m.picture(deep)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, img); err != nil {
		return nil, err
	}
	p.PNG = out.Bytes()
	deep, err = read(dir, fileSmallDeep, maxPNG)
	if errors.Is(err, fs.ErrNotExist) {
		return img, nil
	}
	if err != nil {
		return nil, err
	}
	small, err := m.picture(deep)
	if err != nil {
		return nil, err
	}
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, small, &jpeg.Options{Quality: smallQuality}); err != nil {
		return nil, err
	}
	p.Small = jpg.Bytes()
	return img, nil
}

// read reads a file of at most so many bytes.
func read(dir, name string, most int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrDecode, name, most)
	}
	return b, err
}

// black tells whether a picture shows next to nothing.
func black(img image.Image) bool {
	bounds := img.Bounds()
	dark, all := 0, bounds.Dx()*bounds.Dy()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			// ITU-R BT.709, of 65535.
			if luma := (2126*r + 7152*g + 722*b) / 10000; luma>>8 <= darkLuma {
				dark++
			}
		}
	}
	return float64(dark) >= blackShare*float64(all)
}

// frozen tells whether no picture of those that follow differs from the first.
func frozen(motion []byte) bool {
	first := motion[:motionSize]
	for next := motion[motionSize:]; len(next) >= motionSize; next = next[motionSize:] {
		sum := 0
		for i, v := range first {
			d := int(v) - int(next[i])
			d = max(d, -d)
			if d > stillPixel {
				return false
			}
			sum += d
		}
		if sum > stillMean*motionSize {
			return false
		}
	}
	return true
}

// newInput is the initialization segment and the segment, one after the other.
func newInput(f player.Footage) io.Reader {
	return io.MultiReader(bytes.NewReader(f.Init), bytes.NewReader(f.Segment))
}
