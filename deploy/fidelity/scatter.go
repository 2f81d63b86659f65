package main

import (
	"fmt"
	"io"
	"math"
)

// The picture, in pixels; both axes are logarithmic, from axisLow to axisHigh ms.
const (
	side, margin      = 560.0, 70.0
	axisLow, axisHigh = 100.0, 20000.0
)

// colours are those of the players, told apart by people who see few colours.
var colours = map[string]string{"hlsjs": "#0072b2", "shaka": "#d55e00", "dashjs": "#009e73"}

// scatter draws a point for each cell: the player's median to the right, the
// probe's upwards. Hollow ones do not count.
func scatter(w io.Writer, cells []comparison) {
	size := side + 2*margin
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="13">
<title>Time to first frame: probe against player</title>
<rect width="100%%" height="100%%" fill="#fff"/>
`, size, size)
	band(w, 1-near, 1+near)
	for _, tick := range []float64{100, 200, 500, 1000, 2000, 5000, 10000, 20000} {
		fmt.Fprintf(w, `<path d="M%[1]g %[2]gV%[3]gM%[4]g %[5]gH%[6]g" stroke="#ddd"/><text x="%[1]g" y="%[7]g" text-anchor="middle">%[8]g</text><text x="%[9]g" y="%[10]g" text-anchor="end">%[8]g</text>
`, across(tick), up(axisLow), up(axisHigh), across(axisLow), up(tick), across(axisHigh), up(axisLow)+18, tick, across(axisLow)-6, up(tick)+4)
	}
	fmt.Fprintf(w, `<path d="M%g %gL%g %g" stroke="#666"/>
<text x="%g" y="%g" text-anchor="middle">player, ms</text>
<text transform="translate(18 %g) rotate(-90)" text-anchor="middle">probe, ms</text>
`, across(axisLow), up(axisLow), across(axisHigh), up(axisHigh), size/2, size-22, size/2)
	for i, p := range players {
		y := margin + 20 + 20*float64(i)
		fmt.Fprintf(w, `<circle cx="%g" cy="%g" r="5" fill="%s"/><text x="%g" y="%g">%s@%s</text>
`, margin+20, y, colours[p.name], margin+32, y+4, p.name, p.version)
	}
	fmt.Fprintf(w, `<text x="%g" y="%g" fill="#555">band: within 10 %%; hollow: the player takes different levels</text>
`, margin, margin-12)
	for _, c := range cells {
		if c.real.n == 0 || c.probe.n == 0 {
			continue
		}
		fill := colours[c.Player]
		if c.mixed() {
			fill = "none"
		}
		fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s" fill-opacity="0.7" stroke="%s"><title>%s: %.0f, %.0f</title></circle>
`, across(c.real.median), up(c.probe.median), fill, colours[c.Player], c.cell, c.real.median, c.probe.median)
	}
	fmt.Fprintln(w, "</svg>")
}

// band draws the area between two ratios.
func band(w io.Writer, low, high float64) {
	fmt.Fprintf(w, `<path d="M%.1f %.1fL%.1f %.1fL%.1f %.1fL%.1f %.1fZ" fill="#eee"/>
`, across(axisLow/low), up(axisLow), across(axisHigh), up(axisHigh*low), across(axisHigh/high), up(axisHigh), across(axisLow), up(axisLow*high))
}

// across and up are where a time stands; what is beyond an axis stands at its end.
func across(ms float64) float64 { return margin + side*position(ms) }
func up(ms float64) float64     { return margin + side*(1-position(ms)) }

func position(ms float64) float64 {
	return min(1, max(0, math.Log(ms/axisLow)/math.Log(axisHigh/axisLow)))
}
