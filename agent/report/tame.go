package report

import (
	"slices"
	"strings"
	"unicode"

	"github.com/firstframe/firstframe/probes/run"
)

// maxText bounds a text of a run that is shown, in bytes.
const maxText = 4096

// tame is the run without what could lead a terminal or a reader astray: its
// texts come from servers, and may hold escape sequences, or characters that
// turn the direction of writing. The run itself stays as it is, and so do its
// steps: see tameSteps.
func tame(r *run.Run) run.Run {
	t := *r
	for i := range run.Fields {
		f := &run.Fields[i]
		if s, ok := f.Get(r).(string); ok {
			_ = f.Set(&t, clean(s)) // of the type that it had
		}
	}
	return t
}

func tameAll(runs []run.Run) []run.Run {
	tamed := make([]run.Run, 0, len(runs))
	for i := range runs {
		tamed = append(tamed, tame(&runs[i]))
	}
	return tamed
}

// tameSteps are steps as tame leaves a run.
func tameSteps(steps []run.Step) []run.Step {
	tamed := make([]run.Step, 0, len(steps))
	for _, s := range steps {
		s.Name, s.Track, s.URL = run.StepName(clean(string(s.Name))), clean(s.Track), clean(s.URL)
		s.Remote, s.Proto = clean(s.Remote), clean(s.Proto)
		s.Error, s.Detail = run.ErrorType(clean(string(s.Error))), clean(s.Detail)
		s.Connects = slices.Clone(s.Connects)
		for i := range s.Connects {
			s.Connects[i] = clean(s.Connects[i])
		}
		s.CNAMEs = slices.Clone(s.CNAMEs)
		for i := range s.CNAMEs {
			s.CNAMEs[i] = clean(s.CNAMEs[i])
		}
		s.Headers = cleanHeaders(s.Headers)
		tamed = append(tamed, s)
	}
	return tamed
}

func cleanHeaders(h map[string][]string) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		for _, v := range values {
			out[clean(name)] = append(out[clean(name)], clean(v))
		}
	}
	return out
}

// Line is a text of a run as reports show it: in one line, and without what
// could lead a terminal astray.
func Line(s string) string { return clean(s) }

// clean replaces each character that is not to be seen, and cuts what is longer
// than maxText.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
