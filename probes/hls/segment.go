package hls

import "time"

// addSegment ends the segment whose URI this line is.
func (p *parser) addSegment(line string) error {
	m, n := &p.media, &p.next
	if len(m.Segments) == MaxSegments {
		return p.errorf(ErrTooLarge, "more than %d segments", MaxSegments)
	}
	uri, err := p.resolve(line)
	if err != nil {
		return err
	}
	s := Segment{
		URI: uri, Title: n.title, Duration: n.duration, Map: n.initMap, Key: n.key, Keys: n.keys,
		Parts: n.parts, Discontinuity: n.discontinuity, Gap: n.gap,
	}
	if n.hasRange {
		if s.ByteRange, err = p.place(n.length, n.offset, uri, &n.rangeURI, &n.rangeEnd); err != nil {
			return err
		}
	} else {
		n.rangeURI = ""
	}
	if !n.date.IsZero() {
		if n.clock.IsZero() {
			n.firstDated = len(m.Segments)
		}
		n.clock = n.date
	}
	if !n.clock.IsZero() {
		s.ProgramDateTime = n.clock
		n.clock = n.clock.Add(s.Duration)
	}
	if m.TargetDuration > 0 && s.Duration.Round(time.Second) > m.TargetDuration {
		p.fault(FaultLongSegment, "EXTINF %v is longer than the target duration", s.Duration)
	}
	m.Segments = append(m.Segments, s)
	n.hasDuration, n.hasRange, n.discontinuity, n.gap = false, false, false, false
	n.date, n.parts, n.title = time.Time{}, nil, ""
	return nil
}

// place turns n[@o] into a range: without an offset it continues the range
// before it, which must be of the same resource (4.4.4.2).
func (p *parser) place(length, offset int64, uri string, lastURI *string, lastEnd *int64) (ByteRange, error) {
	if offset < 0 {
		if *lastURI != uri {
			return ByteRange{}, p.errorf(ErrInvalid, "a byte range without an offset, and none before it of the same resource")
		}
		if offset = *lastEnd; offset > 1<<62 || length > 1<<62 {
			return ByteRange{}, p.errorf(ErrInvalid, "a byte range beyond 2^62")
		}
	}
	*lastURI, *lastEnd = uri, offset+length
	return ByteRange{Offset: offset, Length: length}, nil
}

func (p *parser) addPart(value string) error {
	n := &p.next
	if n.partCount++; n.partCount > MaxSegments {
		return p.errorf(ErrTooLarge, "more than %d parts", MaxSegments)
	}
	var part Part
	var length, offset int64
	err := p.eachAttribute(value, func(a attribute) (err error) {
		switch a.name {
		case "URI":
			part.URI, err = p.absolute(a.value)
		case "DURATION":
			part.Duration = p.seconds(a.name, a.value)
		case "INDEPENDENT":
			part.Independent = a.value == "YES"
		case "GAP":
			part.Gap = a.value == "YES"
		case "BYTERANGE":
			if length, offset, err = parseRange(a.value); err != nil {
				return p.errorf(ErrInvalid, "EXT-X-PART BYTERANGE: %v", err)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if part.URI == "" {
		return p.errorf(ErrInvalid, "EXT-X-PART without URI")
	}
	if length > 0 {
		if part.ByteRange, err = p.place(length, offset, part.URI, &n.partURI, &n.partEnd); err != nil {
			return err
		}
	} else {
		n.partURI = ""
	}
	n.parts = append(n.parts, part)
	return nil
}

func (p *parser) addHint(value string) error {
	var h PreloadHint
	err := p.eachAttribute(value, func(a attribute) (err error) {
		switch a.name {
		case "TYPE":
			h.Type = a.value
		case "URI":
			h.URI, err = p.absolute(a.value)
		case "BYTERANGE-START":
			h.ByteRange.Offset = p.integer(a.name, a.value)
		case "BYTERANGE-LENGTH":
			h.ByteRange.Length = p.integer(a.name, a.value)
		}
		return err
	})
	if err != nil {
		return err
	}
	if h.URI == "" || len(p.media.Hints) == MaxKeys {
		p.fault(FaultValue, "EXT-X-PRELOAD-HINT without URI, or too many of them")
		return nil
	}
	p.media.Hints = append(p.media.Hints, h)
	return nil
}

func (p *parser) addReport(value string) error {
	r := Report{LastPart: -1}
	err := p.eachAttribute(value, func(a attribute) (err error) {
		switch a.name {
		case "URI":
			r.URI, err = p.absolute(a.value)
		case "LAST-MSN":
			r.LastMSN = p.integer(a.name, a.value)
		case "LAST-PART":
			r.LastPart = p.integer(a.name, a.value)
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.URI == "" || len(p.media.Reports) == MaxVariants {
		p.fault(FaultValue, "EXT-X-RENDITION-REPORT without URI, or too many of them")
		return nil
	}
	p.media.Reports = append(p.media.Reports, r)
	return nil
}
