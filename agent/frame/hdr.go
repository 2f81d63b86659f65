package frame

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
)

// Transfers of high dynamic range (ITU-R BT.2100).
const (
	pq  = "PQ"
	hlg = "HLG"
)

// transfers are those by ffmpeg's names.
var transfers = map[string]string{"smpte2084": pq, "arib-std-b67": hlg}

// The light of a picture, in cd/m².
const (
	whiteLight = 203.0  // of white paper, so that there is something brighter (ITU-R BT.2408, 2.1)
	peakLight  = 1000.0 // the most that is told from what is brighter still
	pqLight    = 10_000.0
)

// mapper maps pictures of high dynamic range to a screen without it, as Chromium
// does whose screen is one, and of whose video no greater peak is known
// (ColorTransformToneMapInRec2020Linear): what is white as paper becomes a light
// grey, the peak white.
type mapper struct {
	hlg   bool
	light [1 << 16]float32 // of a value; 1 is white: PQ's display light, HLG's scene light
	gain  [1 << 16]float32 // that HLG's display gives a scene of so much light (ITU-R BT.2100 table 5)
	shown [1 << 14]uint8   // sRGB value of light on the screen (IEC 61966-2-1)
}

// newMapper makes the mapper of a transfer.
func newMapper(transfer string) *mapper {
	m := &mapper{hlg: transfer == hlg}
	for i := range m.light {
		v := float64(i) / float64(len(m.light)-1)
		if m.hlg {
			m.light[i] = float32(hlgScene(v))
			m.gain[i] = float32(peakLight / whiteLight * math.Pow(v, 0.2))
		} else {
			m.light[i] = float32(pqDisplay(v) / whiteLight)
		}
	}
	for i := range m.shown {
		v := float64(i) / float64(len(m.shown)-1)
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		m.shown[i] = uint8(math.Round(255 * v))
	}
	return m
}

// pqDisplay is the light that a display makes of a value, in cd/m² (ITU-R
// BT.2100 table 4).
func pqDisplay(v float64) float64 {
	const m1, m2 = 2610.0 / 16384, 2523.0 / 32
	const c1, c2, c3 = 3424.0 / 4096, 2413.0 / 128, 2392.0 / 128
	p := math.Pow(v, 1/m2)
	return pqLight * math.Pow(max(p-c1, 0)/(c2-c3*p), 1/m1)
}

// hlgScene is the light in the scene of which a camera made a value, of 1 (ITU-R
// BT.2100 table 5).
func hlgScene(v float64) float64 {
	const a = 0.17883277
	const b = 1 - 4*a
	if v <= 0.5 {
		return v * v / 3
	}
	return (math.Exp((v-(0.5-a*math.Log(4*a)))/a) + b) / 12
}

// at is a pixel as it is shown.
func (m *mapper) at(r, g, b uint16) color.RGBA {
	red, green, blue := m.light[r], m.light[g], m.light[b]
	if m.hlg {
		gain := m.gain[int((0.2627*red+0.6780*green+0.0593*blue)*float32(len(m.gain)-1)+0.5)]
		red, green, blue = gain*red, gain*green, gain*blue
	}
	const peak = peakLight / whiteLight
	most := max(red, green, blue)
	gain := (1 + most/(peak*peak)) / (1 + most)
	red, green, blue = gain*red, gain*green, gain*blue
	// From BT.2020's primaries to those of BT.709 (ITU-R BT.2087); colours that
	// these do not have are cut.
	return color.RGBA{
		m.screen(1.660491*red - 0.587641*green - 0.072850*blue),
		m.screen(-0.124550*red + 1.132900*green - 0.008349*blue),
		m.screen(-0.018151*red - 0.100579*green + 1.118730*blue),
		255,
	}
}

// screen is the value of light on the screen.
func (m *mapper) screen(light float32) uint8 {
	return m.shown[int(min(max(light, 0), 1)*float32(len(m.shown)-1)+0.5)]
}

// picture is a PNG of 16 bits to a channel, mapped. The error is ErrDecode.
func (m *mapper) picture(deep []byte) (*image.RGBA, error) {
	img, err := png.Decode(bytes.NewReader(deep))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDecode, err)
	}
	from, ok := img.(*image.RGBA64)
	if !ok {
		return nil, fmt.Errorf("%w: its picture is a %T", ErrDecode, img)
	}
	to := image.NewRGBA(from.Bounds())
	for y := from.Rect.Min.Y; y < from.Rect.Max.Y; y++ {
		for x := from.Rect.Min.X; x < from.Rect.Max.X; x++ {
			c := from.RGBA64At(x, y)
			to.SetRGBA(x, y, m.at(c.R, c.G, c.B))
		}
	}
	return to, nil
}
