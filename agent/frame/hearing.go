package frame

import (
	"bytes"
	"regexp"
	"strings"
)

// hearing takes what ffmpeg says, line by line, and keeps the first complaint and
// the first frame's transfer. The rest, which a stream can make as long as it
// likes, is dropped.
type hearing struct {
	complaint string // empty: none
	transfer  string // as ffmpeg calls it; empty: none was told

	line []byte
}

// maxLine is how much of a line is looked at, in bytes.
const maxLine = 1 << 10

// Lines of the level info and above: each begins with who says it, unless it is
// ffmpeg itself, and with its level. Of a stream's own texts none does.
var (
	complaints = regexp.MustCompile(`^(?:\[[^]]* @ \w+\] )*\[(?:error|fatal|panic)\] (.+)`)
	showinfo   = regexp.MustCompile(`^\[Parsed_showinfo_0 @ \w+\] \[info\] .*color_trc:(\S+)`)
)

// Write takes all of p.
func (h *hearing) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		h.line = append(h.line, part[:min(len(part), maxLine-len(h.line))]...)
		if whole {
			h.hear(strings.ToValidUTF8(string(h.line), ""))
			h.line = h.line[:0]
		}
		rest = after
	}
	return len(p), nil
}

func (h *hearing) hear(line string) {
	if m := complaints.FindStringSubmatch(line); m != nil && h.complaint == "" {
		h.complaint = strings.TrimSpace(m[1])
	}
	if m := showinfo.FindStringSubmatch(line); m != nil && h.transfer == "" {
		h.transfer = m[1]
	}
}
