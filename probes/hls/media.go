package hls

import (
	"slices"
	"strings"
	"time"
)

// pending is what the tags said about the segment whose URI is still to come,
// and what stays in force from one segment to the next.
type pending struct {
	hasDuration   bool
	duration      time.Duration
	title         string
	hasRange      bool
	length        int64
	offset        int64 // -1: behind the range before it
	discontinuity bool
	gap           bool
	date          time.Time
	parts         []Part

	keys    []*Key // never changed in place: segments share it
	key     *Key
	initMap *Map

	rangeURI string // resource and end of the last segment's range
	rangeEnd int64
	partURI  string // the same of the last part
	partEnd  int64

	clock      time.Time // wall clock at the next segment's start
	firstDated int       // index of the first segment with a date of its own
	partCount  int
}

// mediaPlaylistTag reads a tag about a media playlist as a whole (4.4.3).
func (p *parser) mediaPlaylistTag(name, value string) (known bool, err error) {
	m := &p.media
	switch name {
	case "EXT-X-TARGETDURATION":
		p.readTargetDuration(value)
	case "EXT-X-MEDIA-SEQUENCE":
		p.again(m.MediaSequence >= 0, name)
		p.late(FaultLate, name)
		m.MediaSequence = min(p.integer(name, value), 1<<62)
	case "EXT-X-DISCONTINUITY-SEQUENCE":
		p.again(m.DiscontinuitySequence != 0, name)
		p.late(FaultDisorder, name)
		m.DiscontinuitySequence = p.integer(name, value)
	case "EXT-X-PLAYLIST-TYPE":
		p.again(m.PlaylistType != "", name)
		m.PlaylistType = strings.ToUpper(strings.TrimSpace(value))
	case "EXT-X-ENDLIST":
		p.again(m.EndList, name)
		m.EndList = true
	case "EXT-X-I-FRAMES-ONLY":
		m.IFramesOnly = true
	case "EXT-X-PART-INF":
		p.again(m.PartTarget != 0, name)
		err = p.eachAttribute(value, func(a attribute) error {
			if a.name == "PART-TARGET" {
				m.PartTarget = p.seconds(a.name, a.value)
			}
			return nil
		})
	case "EXT-X-SERVER-CONTROL":
		p.again(m.ServerControl != ServerControl{}, name)
		err = p.readServerControl(value)
	case "EXT-X-SKIP":
		p.again(m.Skipped != 0, name)
		err = p.eachAttribute(value, func(a attribute) error {
			if a.name == "SKIPPED-SEGMENTS" {
				m.Skipped = min(p.integer(a.name, a.value), 1<<61)
			}
			return nil
		})
	case "EXT-X-RENDITION-REPORT":
		err = p.addReport(value)
	case "EXT-X-DATERANGE", "EXT-X-ALLOW-CACHE":
	default:
		return false, nil
	}
	return true, err
}

// late notes a tag that comes after the first segment.
func (p *parser) late(kind FaultKind, name string) {
	if len(p.media.Segments) > 0 {
		p.fault(kind, "%s after the first segment", name)
	}
}

// again notes a tag that was seen before and may come once.
func (p *parser) again(seen bool, name string) {
	if seen {
		p.fault(FaultRepeated, "%s again", name)
	}
}

func (p *parser) readTargetDuration(value string) {
	d, err := parseSeconds(value)
	if err == nil && d == 0 {
		p.fault(FaultValue, "EXT-X-TARGETDURATION of nothing")
		p.zeroTarget = true
		return
	}
	if err != nil || d < 0 {
		p.fault(FaultTargetDuration, "EXT-X-TARGETDURATION is not a duration: %s", clip(value))
		return
	}
	if p.media.TargetDuration > 0 {
		p.fault(FaultRepeated, "EXT-X-TARGETDURATION again")
		return
	}
	p.media.TargetDuration = d
}

func (p *parser) readServerControl(value string) error {
	c := &p.media.ServerControl
	return p.eachAttribute(value, func(a attribute) error {
		switch a.name {
		case "CAN-BLOCK-RELOAD":
			c.CanBlockReload = a.value == "YES"
		case "CAN-SKIP-UNTIL":
			c.CanSkipUntil = p.seconds(a.name, a.value)
		case "CAN-SKIP-DATERANGES":
			c.CanSkipDateRanges = a.value == "YES"
		case "HOLD-BACK":
			c.HoldBack = p.seconds(a.name, a.value)
		case "PART-HOLD-BACK":
			c.PartHoldBack = p.seconds(a.name, a.value)
		}
		return nil
	})
}

// segmentTag reads a tag about the segments that follow it (4.4.4, 4.4.5).
func (p *parser) segmentTag(name, value string) (known bool, err error) {
	n := &p.next
	switch name {
	case "EXTINF":
		err = p.readInf(value)
	case "EXT-X-BYTERANGE":
		if n.length, n.offset, err = parseRange(value); err != nil {
			return true, p.errorf(ErrInvalid, "EXT-X-BYTERANGE: %v", err)
		}
		n.hasRange = true
	case "EXT-X-DISCONTINUITY":
		n.discontinuity = true
	case "EXT-X-GAP":
		n.gap = true
	case "EXT-X-KEY":
		err = p.setKey(value)
	case "EXT-X-MAP":
		err = p.setMap(value)
	case "EXT-X-PROGRAM-DATE-TIME":
		p.setDate(value)
	case "EXT-X-PART":
		err = p.addPart(value)
	case "EXT-X-PRELOAD-HINT":
		err = p.addHint(value)
	case "EXT-X-BITRATE":
	default:
		return false, nil
	}
	return true, err
}

func (p *parser) readInf(value string) error {
	number, title, _ := strings.Cut(value, ",")
	d, err := parseSeconds(number)
	if err != nil || d < 0 {
		return p.errorf(ErrInvalid, "EXTINF is not a duration: %s", clip(number))
	}
	if p.next.hasDuration {
		p.fault(FaultOrphan, "EXTINF without a URI before it")
	}
	p.next.hasDuration, p.next.duration, p.next.title = true, d, title
	return nil
}

func (p *parser) setDate(value string) {
	t, layout, ok := parseDate(value)
	if !ok {
		p.fault(FaultValue, "EXT-X-PROGRAM-DATE-TIME is not a date: %s", clip(value))
		return
	}
	if layout > 0 {
		p.fault(FaultValue, "EXT-X-PROGRAM-DATE-TIME is not as ISO 8601 in full: %s", clip(value))
	}
	p.next.date = t
}

// setKey puts a key in force for the segments and maps that follow, in place of
// the one with its KEYFORMAT; METHOD=NONE ends them all (4.4.4.4).
func (p *parser) setKey(value string) error {
	k, err := p.readKey("EXT-X-KEY", value)
	if err != nil {
		return err
	}
	n := &p.next
	if k == nil {
		n.keys, n.key = []*Key{}, nil
		return nil
	}
	keys := slices.Clone(n.keys)
	if i := slices.IndexFunc(keys, func(o *Key) bool { return o.Format == k.Format }); i >= 0 {
		if sameKey(keys[i], k) {
			return nil
		}
		keys[i] = k
	} else {
		if len(keys) == MaxKeys {
			return p.errorf(ErrTooLarge, "more than %d keys at once", MaxKeys)
		}
		keys = append(keys, k)
	}
	n.keys, n.key = keys, keys[0]
	if i := slices.IndexFunc(keys, func(o *Key) bool { return o.Format == KeyFormatIdentity }); i > 0 {
		n.key = keys[i]
	}
	return nil
}

func sameKey(a, b *Key) bool { return *a == *b }

// readKey reads EXT-X-KEY or EXT-X-SESSION-KEY; nil is METHOD=NONE.
func (p *parser) readKey(name, value string) (*Key, error) {
	k := &Key{Format: KeyFormatIdentity}
	err := p.eachAttribute(value, func(a attribute) (err error) {
		switch a.name {
		case "METHOD":
			k.Method = Method(a.value)
		case "URI":
			k.URI, err = p.absolute(a.value)
		case "KEYFORMAT":
			k.Format = a.value
		case "KEYFORMATVERSIONS":
			k.FormatVersions = a.value
		case "IV":
			if k.IV, err = parseIV(a.value); err != nil {
				return p.errorf(ErrInvalid, "%s: %v", name, err)
			}
			k.HasIV = true
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case k.Method == "NONE":
		return nil, nil
	case k.Method == "":
		return nil, p.errorf(ErrInvalid, "%s without METHOD", name)
	case k.URI == "":
		return nil, p.errorf(ErrInvalid, "%s without URI", name)
	}
	return k, nil
}

// setMap puts an initialization section in force (4.4.4.5).
func (p *parser) setMap(value string) error {
	m := &Map{Key: p.next.key}
	err := p.eachAttribute(value, func(a attribute) (err error) {
		switch a.name {
		case "URI":
			m.URI, err = p.absolute(a.value)
		case "BYTERANGE":
			length, offset, err := parseRange(a.value)
			if err != nil {
				return p.errorf(ErrInvalid, "EXT-X-MAP BYTERANGE: %v", err)
			}
			if offset < 0 {
				p.fault(FaultValue, "EXT-X-MAP BYTERANGE without an offset")
				offset = 0
			}
			m.ByteRange = ByteRange{Offset: offset, Length: length}
		}
		return err
	})
	if err != nil {
		return err
	}
	if m.URI == "" {
		return p.errorf(ErrInvalid, "EXT-X-MAP without URI")
	}
	if m.Key != nil && m.Key.Method == MethodAES128 && !m.Key.HasIV {
		p.fault(FaultValue, "EXT-X-MAP under AES-128 without an IV")
	}
	p.next.initMap = m
	return nil
}

func (p *parser) finishMedia() (*Playlist, error) {
	m, n := &p.media, &p.next
	if n.hasDuration {
		p.fault(FaultOrphan, "the last EXTINF has no URI")
	}
	m.Version, m.IndependentSegments, m.Start = p.version, p.independent, p.start
	_, hinted := m.Hint()
	if m.Parts = n.parts; len(m.Parts) > 0 || hinted {
		m.Partial = &Segment{
			Map: n.initMap, Key: n.key, Keys: n.keys, Parts: n.parts,
			Discontinuity: n.discontinuity, ProgramDateTime: n.clock,
		}
		if !n.date.IsZero() {
			m.Partial.ProgramDateTime = n.date
		}
	}
	m.MediaSequence = max(m.MediaSequence, 0)
	var longest time.Duration
	playable := hinted || slices.ContainsFunc(m.Parts, func(p Part) bool { return !p.Gap })
	for i := range m.Segments {
		s := &m.Segments[i]
		s.Sequence = m.MediaSequence + m.Skipped + int64(i)
		longest = max(longest, s.Duration)
		playable = playable || !s.Gap
	}
	if m.Partial != nil {
		m.Partial.Sequence = m.MediaSequence + m.Skipped + int64(len(m.Segments))
	}
	for i := n.firstDated; i > 0; i-- {
		m.Segments[i-1].ProgramDateTime = m.Segments[i].ProgramDateTime.Add(-m.Segments[i-1].Duration)
	}
	if m.TargetDuration == 0 {
		if !p.faults.Has(FaultTargetDuration) && !p.zeroTarget {
			p.fault(FaultTargetDuration, "no target duration")
		}
		m.TargetDuration = longest.Round(time.Second)
	}
	m.Faults = p.faults
	out := &Playlist{Media: m}
	switch {
	case len(m.Segments) == 0 && len(m.Parts) == 0 && !hinted:
		return out, p.errorf(ErrEmpty, "a media playlist without segments")
	case !playable:
		return out, p.errorf(ErrEmpty, "a media playlist of gaps only")
	}
	return out, nil
}
