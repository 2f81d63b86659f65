package board

// The colours of states, from the palette of Okabe and Ito (Color Universal
// Design, 2008), which people with any kind of colour blindness tell apart.
const (
	Good    = "#009E73"     // bluish green
	Warn    = "#E69F00"     // orange
	Bad     = "#D55E00"     // vermilion
	Neutral = "#56B4E9"     // sky blue: a number that is neither good nor bad
	Unknown = "#6E6E6E"     // grey: nothing is known
	Plain   = "transparent" // of cells that say nothing
)

// Palette is for things that have no order, as many as can be told apart: the
// rest of Okabe and Ito's eight, then four lighter and darker ones of the same
// hues.
var Palette = []string{
	"#0072B2", "#56B4E9", "#009E73", "#F0E442", "#E69F00", "#D55E00", "#CC79A7", "#999999",
	"#004B75", "#A3D8F4", "#006B4E", "#8C3E00",
}

// Scale colours values: Base below the first step, each step's colour from its
// value on.
type Scale struct {
	Base  string
	Steps []Step
}

// Step is where a colour begins.
type Step struct {
	From  float64
	Color string
}

// json is s as Grafana's thresholds. The zero Scale is one neutral colour.
func (s Scale) json() object {
	if s.Base == "" {
		s.Base = Neutral
	}
	steps := []object{{"color": s.Base, "value": nil}}
	for _, st := range s.Steps {
		steps = append(steps, object{"color": st.Color, "value": st.From})
	}
	return object{"mode": "absolute", "steps": steps}
}
