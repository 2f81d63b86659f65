package dash

import (
	"fmt"
	"strconv"
	"strings"
)

// template is a URL template (5.3.9.4.4), cut into literals and identifiers. It
// is expanded before anything reads percent escapes in it: $Number%05d$ holds
// what looks like one.
type template []piece

type piece struct {
	literal string
	what    identifier
	width   int
	base    int // of the number: 10, 8, 16; 0 is 16 in capitals
}

type identifier byte

const (
	literal identifier = iota
	representationID
	numberOf
	timeOf
	bandwidthOf
	subNumberOf
)

const maxWidth = 32

// parseTemplate cuts s. What is no identifier of the standard stays as it is,
// and complaint says so.
func parseTemplate(s string) (t template, complaint string, err error) {
	for s != "" {
		text, rest, ok := strings.Cut(s, "$")
		if text != "" {
			t = append(t, piece{literal: text})
		}
		if !ok {
			break
		}
		name, rest, ok := strings.Cut(rest, "$")
		if !ok {
			t = append(t, piece{literal: "$" + name})
			return t, "a $ without its second", nil
		}
		p, good, err := parseIdentifier(name)
		if err != nil {
			return nil, "", err
		}
		if !good {
			complaint = fmt.Sprintf("$%s$ is not known", name)
			p = piece{literal: "$" + name + "$"}
		}
		t = append(t, p)
		s = rest
	}
	return t, complaint, nil
}

func parseIdentifier(name string) (p piece, ok bool, err error) {
	name, format, hasFormat := strings.Cut(name, "%")
	p.base = 10
	switch name {
	case "":
		return piece{literal: "$"}, !hasFormat, nil
	case "RepresentationID":
		return piece{what: representationID}, true, nil // 5.3.9.4.4: without a format
	case "Number":
		p.what = numberOf
	case "Time":
		p.what = timeOf
	case "Bandwidth":
		p.what = bandwidthOf
	case "SubNumber":
		p.what = subNumberOf
	default:
		return p, false, nil
	}
	if !hasFormat {
		return p, true, nil
	}
	if format == "" {
		return p, false, nil
	}
	width, kind := format[:len(format)-1], format[len(format)-1]
	if width != "" {
		if p.width, err = strconv.Atoi(width); err != nil || p.width < 0 || p.width > maxWidth {
			return p, false, nil
		}
	}
	switch kind {
	case 'd', 'i', 'u':
	case 'o':
		p.base = 8
	case 'x':
		p.base = 16
	case 'X':
		p.base = 0
	default:
		return p, false, nil
	}
	return p, true, nil
}

// expand fills in the identifiers.
func (t template) expand(id string, bandwidth, number int64, time uint64, sub int64) string {
	var b strings.Builder
	for i := range t {
		switch p := &t[i]; p.what {
		case literal:
			b.WriteString(p.literal)
		case representationID:
			b.WriteString(id)
		case numberOf:
			p.pad(&b, uint64(max(number, 0)))
		case timeOf:
			p.pad(&b, time)
		case bandwidthOf:
			p.pad(&b, uint64(max(bandwidth, 0)))
		case subNumberOf:
			p.pad(&b, uint64(sub)) // from 0, as dash.js and Shaka count
		}
	}
	return b.String()
}

func (p *piece) pad(b *strings.Builder, n uint64) {
	base := p.base
	if base == 0 {
		base = 16
	}
	var buf [64]byte
	digits := strconv.AppendUint(buf[:0], n, base)
	for range p.width - len(digits) {
		b.WriteByte('0')
	}
	if p.base == 0 {
		b.WriteString(strings.ToUpper(string(digits)))
		return
	}
	b.Write(digits)
}

func (t template) uses(what identifier) bool {
	for i := range t {
		if t[i].what == what {
			return true
		}
	}
	return false
}
