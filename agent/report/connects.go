package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// maxAttempts bounds the attempts to connect that are shown of one step: the
// first of them, and the last, which is mostly the one that won.
const maxAttempts = 4

// attempts says for people how a step's connection was made, where it took
// several addresses or failed: each address with how long it took and what came
// of it, and a later one with how long after the first it was tried.
func attempts(s *run.Step) []string {
	var list []string
	first := -1.0
	for i, c := range s.Connects {
		if len(s.Connects) > maxAttempts && i >= maxAttempts-1 && i < len(s.Connects)-1 {
			if i == maxAttempts-1 {
				list = append(list, fmt.Sprintf("%d more", len(s.Connects)-maxAttempts))
			}
			continue
		}
		text, start, ok := attempt(c)
		switch {
		case !ok:
		case first < 0:
			first = start
		default:
			text = "+" + Millis(start-first) + " " + text
		}
		list = append(list, text)
	}
	return list
}

// attempt is one of [run.Step.Connects] for people; what is of another form is
// left as it is.
func attempt(c string) (text string, start float64, ok bool) {
	f := strings.SplitN(c, " ", 5)
	if len(f) < 5 {
		return c, 0, false
	}
	start, err1 := strconv.ParseFloat(f[2], 64)
	end, err2 := strconv.ParseFloat(f[3], 64)
	if err1 != nil || err2 != nil || !(start >= 0 && end >= start && end-start < 1e9) {
		return c, 0, false
	}
	if f[0] != "tcp" {
		f[1] += " " + f[0]
	}
	outcome := strings.TrimPrefix(f[4], "connect: ")
	return fmt.Sprintf("%s %s %s", f[1], outcome, Millis(end-start)), start, true
}
