package hls

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// parser reads one playlist, line by line.
type parser struct {
	url   string // as given
	res   *resolver
	line  int
	multi Multivariant
	media Media

	// The first tag of either kind; a playlist may have one kind only (4.1).
	multiTag, mediaTag string

	version     int
	versioned   bool // by a tag
	independent bool
	start       *Start
	vars        map[string]string
	imports     map[string]string
	faults      Faults

	variant    Variant // of the EXT-X-STREAM-INF whose URI is awaited
	hasVariant bool
	next       pending
	orphans    int
	zeroTarget bool // EXT-X-TARGETDURATION is 0
	spent      int
}

func parse(u string, body []byte, imports map[string]string) (*Playlist, error) {
	p := &parser{url: u, imports: imports, version: 1}
	p.media.MediaSequence = -1
	if len(body) > MaxBytes {
		return nil, p.errorf(ErrTooLarge, "more than %d bytes", MaxBytes)
	}
	res, err := newResolver(u)
	if err != nil {
		return nil, p.errorf(ErrInvalid, "its own URL cannot be read")
	}
	p.res = res
	text, err := p.head(body)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(text, "\n#EXTINF"); n > 0 {
		p.media.Segments = make([]Segment, 0, min(n, MaxSegments))
	}
	if err := p.lines(text); err != nil {
		return nil, err
	}
	return p.finish()
}

// head checks what comes before the tags and answers the text from #EXTM3U on.
func (p *parser) head(body []byte) (string, error) {
	trimmed := body
	if rest, ok := bytes.CutPrefix(trimmed, []byte("\xef\xbb\xbf")); ok {
		p.fault(FaultBOM, "byte order mark before #EXTM3U")
		trimmed = rest
	}
	if rest := bytes.TrimLeft(trimmed, " \t\r\n"); len(rest) < len(trimmed) {
		p.line = bytes.Count(trimmed[:len(trimmed)-len(rest)], []byte{'\n'})
		if len(rest) > 0 {
			p.fault(FaultLeadingSpace, "white space before #EXTM3U")
		}
		trimmed = rest
	}
	after, ok := bytes.CutPrefix(trimmed, []byte("#EXTM3U"))
	if !ok || len(after) > 0 && !strings.ContainsRune(" \t\r\n", rune(after[0])) {
		return "", p.notPlaylist(trimmed)
	}
	if !utf8.Valid(body) {
		p.fault(FaultEncoding, "not UTF-8")
	}
	return string(trimmed), nil
}

// notPlaylist is the error for a body that does not begin with #EXTM3U.
func (p *parser) notPlaylist(body []byte) error {
	p.line = 0
	switch {
	case len(body) == 0:
		return p.errorf(ErrInvalid, "the body is empty")
	case body[0] == '<':
		return p.errorf(ErrInvalid, "HTML or XML in place of a playlist: %s", clip(string(body[:min(len(body), 64)])))
	case bytes.IndexByte(body[:min(len(body), 512)], 0) >= 0:
		return p.errorf(ErrInvalid, "binary data in place of a playlist")
	}
	return p.errorf(ErrInvalid, "does not begin with #EXTM3U but with %s", clip(string(body[:min(len(body), 64)])))
}

func (p *parser) lines(text string) error {
	for more := true; more; {
		var line string
		line, text, more = strings.Cut(text, "\n")
		if p.line++; p.line > MaxLines {
			return p.errorf(ErrTooLarge, "more than %d lines", MaxLines)
		}
		if len(line) > MaxLine {
			return p.errorf(ErrTooLarge, "more than %d bytes in a line", MaxLine)
		}
		line = strings.Trim(line, " \t\r")
		var err error
		switch {
		case line == "":
		case strings.HasPrefix(line, "#EXT"):
			name, value, _ := strings.Cut(line[1:], ":")
			err = p.tag(name, value)
		case line[0] != '#':
			err = p.uri(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tag reads a tag that either kind of playlist may have, and hands on the rest.
func (p *parser) tag(name, value string) error {
	switch name {
	case "EXTM3U":
		return nil
	case "EXT-X-VERSION":
		p.again(p.versioned, name)
		p.versioned = true
		p.version = int(min(p.integer(name, value), 1<<16))
		return nil
	case "EXT-X-INDEPENDENT-SEGMENTS":
		p.independent = true
		return nil
	case "EXT-X-START":
		return p.readStart(value)
	case "EXT-X-DEFINE":
		return p.readDefine(value)
	}
	if known, err := p.mediaPlaylistTag(name, value); known || err != nil {
		p.seen(&p.mediaTag, name)
		return err
	}
	if known, err := p.segmentTag(name, value); known || err != nil {
		p.seen(&p.mediaTag, name)
		return err
	}
	if known, err := p.multivariantTag(name, value); known || err != nil {
		p.seen(&p.multiTag, name)
		return err
	}
	return nil // 6.3.1: unknown tags are ignored
}

func (p *parser) seen(first *string, name string) {
	if *first == "" {
		*first = name
	}
}

// uri reads a line that is neither blank nor a tag nor a comment.
func (p *parser) uri(line string) error {
	switch {
	case p.hasVariant:
		return p.addVariant(line)
	case p.next.hasDuration:
		return p.addSegment(line)
	}
	p.orphans++
	p.fault(FaultOrphan, "URI without EXTINF or EXT-X-STREAM-INF: %s", clip(line))
	return nil
}

// finish checks what can only be checked at the end.
func (p *parser) finish() (*Playlist, error) {
	p.line = 0
	switch {
	case p.multiTag != "" && p.mediaTag != "":
		return nil, p.errorf(ErrInvalid, "tags of both kinds of playlist, %s and %s", p.multiTag, p.mediaTag)
	case p.multiTag != "":
		return p.finishMultivariant()
	case p.mediaTag != "":
		return p.finishMedia()
	case p.orphans > 0:
		return nil, p.errorf(ErrInvalid, "a list of URIs without any tag of HLS")
	}
	return p.finishMedia()
}

func (p *parser) readStart(value string) error {
	s := &Start{}
	seen := false
	err := p.eachAttribute(value, func(a attribute) error {
		switch a.name {
		case "TIME-OFFSET":
			d, err := parseSeconds(a.value)
			if err != nil {
				p.fault(FaultValue, "EXT-X-START TIME-OFFSET %v", err)
				return nil
			}
			s.TimeOffset, seen = d, true
		case "PRECISE":
			s.Precise = a.value == "YES"
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !seen {
		p.fault(FaultValue, "EXT-X-START without TIME-OFFSET")
		return nil
	}
	p.start = s
	return nil
}

// readDefine reads EXT-X-DEFINE (4.4.2.3). A variable without a value is a
// fault; only its use is an error.
func (p *parser) readDefine(value string) error {
	var name, val string
	var found bool
	err := p.eachAttribute(value, func(a attribute) error {
		switch a.name {
		case "NAME":
			name = a.value
		case "VALUE":
			val, found = a.value, true
		case "IMPORT":
			name = a.value
			val, found = p.imports[name]
		case "QUERYPARAM":
			name = a.value
			val, found = p.queryParam(name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, again := p.vars[name]
	switch {
	case name == "" || variableName(name) != name || !found:
		p.fault(FaultDefine, "EXT-X-DEFINE without a value: %s", clip(value))
		return nil
	case again:
		p.fault(FaultDefine, "EXT-X-DEFINE: %s was defined before", clip(name))
		return nil
	case len(p.vars) == MaxVariables:
		return p.errorf(ErrTooLarge, "more than %d variables", MaxVariables)
	case p.vars == nil:
		p.vars = map[string]string{}
	}
	p.vars[name] = val
	return nil
}

// queryParam is the first value of a query parameter of the playlist's own URL,
// percent-decoded; a plus sign stays one.
func (p *parser) queryParam(name string) (string, bool) {
	for pair := range strings.SplitSeq(p.res.base.RawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if k, err := url.PathUnescape(key); err != nil || k != name {
			continue
		}
		if v, err := url.PathUnescape(value); err == nil && v != "" {
			return v, true
		}
	}
	return "", false
}

// resolve substitutes variables in ref and makes it absolute.
func (p *parser) resolve(ref string) (string, error) {
	ref, err := p.substitute(ref)
	if err != nil {
		return "", err
	}
	return p.absolute(ref)
}

// absolute makes ref absolute.
func (p *parser) absolute(ref string) (string, error) {
	abs, fixed, err := p.res.resolve(ref)
	if err != nil {
		return "", p.errorf(ErrInvalid, "not a URI: %s", clip(ref))
	}
	if fixed {
		p.fault(FaultEncoding, "URI with characters that must be escaped: %s", clip(ref))
	}
	return abs, p.spend(len(abs))
}

func (p *parser) fault(kind FaultKind, format string, args ...any) {
	if len(p.faults) < MaxFaults {
		p.faults = append(p.faults, Fault{Kind: kind, Line: p.line, Text: fmt.Sprintf(format, args...)})
	}
}

func (p *parser) errorf(class error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if p.line > 0 {
		return fmt.Errorf("hls: %s line %d: %s: %w", short(p.url), p.line, what, class)
	}
	return fmt.Errorf("hls: %s: %s: %w", short(p.url), what, class)
}
