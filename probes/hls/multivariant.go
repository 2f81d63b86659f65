package hls

import (
	"strconv"
	"strings"
)

// multivariantTag reads a tag of multivariant playlists (4.4.6).
func (p *parser) multivariantTag(name, value string) (known bool, err error) {
	switch name {
	case "EXT-X-STREAM-INF":
		if p.hasVariant {
			p.fault(FaultOrphan, "EXT-X-STREAM-INF without a URI before it")
		}
		p.variant, p.hasVariant = Variant{}, true
		err = p.readVariant(&p.variant, value)
	case "EXT-X-I-FRAME-STREAM-INF":
		if len(p.multi.IFrames) == MaxVariants {
			return true, p.errorf(ErrTooLarge, "more than %d I-frame streams", MaxVariants)
		}
		var v Variant
		if err = p.readVariant(&v, value); err == nil && v.URI != "" {
			p.multi.IFrames = append(p.multi.IFrames, v)
		}
	case "EXT-X-MEDIA":
		err = p.readRendition(value)
	case "EXT-X-SESSION-KEY":
		if len(p.multi.SessionKeys) == MaxVariants {
			return true, p.errorf(ErrTooLarge, "more than %d session keys", MaxVariants)
		}
		var k *Key
		if k, err = p.readKey(name, value); err == nil && k != nil {
			p.multi.SessionKeys = append(p.multi.SessionKeys, *k)
		}
	case "EXT-X-CONTENT-STEERING":
		err = p.readSteering(value)
	case "EXT-X-SESSION-DATA":
	default:
		return false, nil
	}
	return true, err
}

func (p *parser) readVariant(v *Variant, value string) error {
	err := p.eachAttribute(value, func(a attribute) (err error) {
		switch a.name {
		case "BANDWIDTH":
			v.Bandwidth = p.integer(a.name, a.value)
		case "AVERAGE-BANDWIDTH":
			v.AverageBandwidth = p.integer(a.name, a.value)
		case "SCORE":
			v.Score = p.float(a.name, a.value)
		case "RESOLUTION":
			v.Width, v.Height = p.resolution(a.value)
		case "CODECS":
			v.Codecs = splitCodecs(a.value)
		case "FRAME-RATE":
			v.FrameRate = p.float(a.name, a.value)
		case "VIDEO-RANGE":
			v.VideoRange = a.value
		case "NAME":
			v.Name = a.value
		case "STABLE-VARIANT-ID":
			v.StableID = a.value
		case "PATHWAY-ID":
			v.PathwayID = a.value
		case "AUDIO":
			v.AudioGroup = a.value
		case "VIDEO":
			v.VideoGroup = a.value
		case "SUBTITLES":
			v.SubtitleGroup = a.value
		case "CLOSED-CAPTIONS":
			v.ClosedCaptions = a.value
		case "URI": // of I-frame streams only
			v.URI, err = p.absolute(a.value)
		}
		return err
	})
	if err == nil && v.Bandwidth == 0 {
		p.fault(FaultValue, "a variant without BANDWIDTH")
	}
	return err
}

// resolution reads WxH.
func (p *parser) resolution(s string) (w, h int) {
	ws, hs, ok := strings.Cut(strings.ToLower(s), "x")
	w64, errW := strconv.ParseInt(ws, 10, 32)
	h64, errH := strconv.ParseInt(hs, 10, 32)
	if !ok || errW != nil || errH != nil || w64 < 0 || h64 < 0 {
		p.fault(FaultValue, "RESOLUTION is not WxH: %s", clip(s))
		return 0, 0
	}
	return int(w64), int(h64)
}

// splitCodecs splits a list of RFC 6381 codec strings.
func splitCodecs(s string) []string {
	var codecs []string
	for c := range strings.SplitSeq(s, ",") {
		if c = strings.TrimSpace(c); c != "" {
			codecs = append(codecs, c)
		}
	}
	return codecs
}

func (p *parser) addVariant(line string) error {
	p.hasVariant = false
	if len(p.multi.Variants) == MaxVariants {
		return p.errorf(ErrTooLarge, "more than %d variants", MaxVariants)
	}
	uri, err := p.resolve(line)
	if err != nil {
		return err
	}
	p.variant.URI = uri
	p.multi.Variants = append(p.multi.Variants, p.variant)
	return nil
}

func (p *parser) readRendition(value string) error {
	if len(p.multi.Renditions) == MaxVariants {
		return p.errorf(ErrTooLarge, "more than %d renditions", MaxVariants)
	}
	var r Rendition
	err := p.eachAttribute(value, func(a attribute) (err error) {
		switch a.name {
		case "TYPE":
			r.Type = a.value
		case "URI":
			if a.value != "" {
				r.URI, err = p.absolute(a.value)
			}
		case "GROUP-ID":
			r.Group = a.value
		case "NAME":
			r.Name = a.value
		case "LANGUAGE":
			r.Language = a.value
		case "DEFAULT":
			r.Default = a.value == "YES"
		case "AUTOSELECT":
			r.Autoselect = a.value == "YES"
		case "FORCED":
			r.Forced = a.value == "YES"
		case "CHANNELS":
			r.Channels = a.value
		case "INSTREAM-ID":
			r.InstreamID = a.value
		case "STABLE-RENDITION-ID":
			r.StableID = a.value
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.Type == "" || r.Group == "" {
		p.fault(FaultValue, "EXT-X-MEDIA without TYPE or GROUP-ID")
	}
	p.multi.Renditions = append(p.multi.Renditions, r)
	return nil
}

func (p *parser) readSteering(value string) error {
	s := &Steering{}
	err := p.eachAttribute(value, func(a attribute) (err error) {
		switch a.name {
		case "SERVER-URI":
			s.ServerURI, err = p.absolute(a.value)
		case "PATHWAY-ID":
			s.PathwayID = a.value
		}
		return err
	})
	if err != nil {
		return err
	}
	if s.ServerURI == "" {
		p.fault(FaultValue, "EXT-X-CONTENT-STEERING without SERVER-URI")
		return nil
	}
	p.multi.Steering = s
	return nil
}

func (p *parser) finishMultivariant() (*Playlist, error) {
	if p.hasVariant {
		p.fault(FaultOrphan, "the last EXT-X-STREAM-INF has no URI")
	}
	m := &p.multi
	m.Version, m.IndependentSegments, m.Start = p.version, p.independent, p.start
	m.Variables, m.Faults = p.vars, p.faults
	out := &Playlist{Multivariant: m}
	if len(m.Variants) == 0 {
		return out, p.errorf(ErrEmpty, "a multivariant playlist without variants")
	}
	return out, nil
}
