package dash

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Parse reads an MPD whose final URL, after redirects, is u: relative URLs are
// resolved against it (5.6.4).
//
// The error wraps [ErrInvalid], [ErrEmpty] or [ErrTooLarge] and names the MPD
// (without its query, which may hold a token). Together with ErrEmpty the MPD is
// returned too, so that a live one can be asked again; otherwise it is nil.
func Parse(u string, body []byte) (*MPD, error) {
	b := &builder{url: u, m: &MPD{}}
	doc, err := decode(u, body, b.note)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(u)
	if err != nil {
		return nil, errorf(u, ErrInvalid, "its own URL cannot be read")
	}
	b.root(doc)
	if b.m.Dynamic && b.m.AvailabilityStart.IsZero() {
		return nil, errorf(u, ErrInvalid, "dynamic without availabilityStartTime")
	}
	top := b.bases([]BaseURL{{URL: base.String(), Priority: 1, AvailabilityTimeComplete: true}}, doc.BaseURL)
	b.m.BaseURL = top[0].URL
	for _, l := range doc.Location {
		if abs, err := resolve(u, strings.TrimSpace(l)); err == nil {
			b.m.Locations = append(b.m.Locations, abs)
		}
	}
	for _, x := range doc.Patch {
		if abs, err := resolve(u, strings.TrimSpace(x.URL)); err == nil {
			b.m.Patches = append(b.m.Patches, Patch{URL: abs, TTL: time.Duration(min(max(x.TTL.or(0), 0), int64(maxSpan/time.Second))) * time.Second})
		}
	}
	b.periods(doc, top)
	return b.finish()
}

// builder makes an MPD out of its elements.
type builder struct {
	url     string
	m       *MPD
	dropped error // why the first representation was left out
	remote  int   // periods that are elsewhere
	spent   int   // bytes made by inheritance
	lines   map[lineKey]line
	lists   map[*xmlURL][]Ref
	parsed  map[string]template
}

// spend accounts for n bytes made by inheritance; false is beyond MaxExpansion.
func (b *builder) spend(n int) bool {
	b.spent += n
	return b.spent <= MaxExpansion
}

func (b *builder) note(format string, args ...any) {
	if len(b.m.Faults) < MaxFaults {
		b.m.Faults = append(b.m.Faults, fmt.Sprintf(format, args...))
	}
}

// finish refuses what has nothing to play.
func (b *builder) finish() (*MPD, error) {
	if b.spent > MaxExpansion {
		return nil, errorf(b.url, ErrTooLarge, "inheritance makes more than %d bytes of it", MaxExpansion)
	}
	representations := 0
	for i := range b.m.Periods {
		for j := range b.m.Periods[i].AdaptationSets {
			reps := b.m.Periods[i].AdaptationSets[j].Representations
			representations += len(reps)
			for k := range reps {
				if reps[k].count() > 0 {
					return b.m, nil
				}
			}
		}
	}
	switch {
	case representations > 0:
		return b.m, errorf(b.url, ErrEmpty, "no representation has segments")
	case errors.Is(b.dropped, ErrUnsupported):
		return nil, errorf(b.url, ErrUnsupported, "%v", b.dropped)
	case b.dropped != nil:
		return nil, errorf(b.url, ErrInvalid, "%v", b.dropped)
	case b.remote > 0:
		return nil, errorf(b.url, ErrUnsupported, "all that it has is elsewhere (xlink)")
	}
	return b.m, errorf(b.url, ErrEmpty, "no representations")
}

// root reads what is said about the whole presentation (5.3.1.2).
func (b *builder) root(doc *xmlMPD) {
	m := b.m
	m.ID, m.Profiles, m.Dynamic = doc.ID, doc.Profiles, doc.Type == "dynamic"
	m.AvailabilityStart, m.AvailabilityEnd, m.PublishTime = doc.AvailabilityStartTime.t, doc.AvailabilityEndTime.t, doc.PublishTime.t
	m.Duration = doc.MediaPresentationDuration.ptr()
	m.MinBufferTime, m.MaxSegmentDuration = doc.MinBufferTime.d, doc.MaxSegmentDuration.d
	m.MinimumUpdatePeriod = doc.MinimumUpdatePeriod.ptr()
	m.TimeShiftBufferDepth = doc.TimeShiftBufferDepth.ptr()
	m.SuggestedPresentationDelay = doc.SuggestedPresentationDelay.ptr()
	for _, d := range doc.UTCTiming {
		m.UTCTiming = append(m.UTCTiming, UTCTiming{Scheme: strings.TrimSpace(d.Scheme), Value: strings.TrimSpace(d.Value)})
	}
	for _, s := range doc.Service {
		for _, l := range s.Latency {
			if l.Target.set && l.Target.n >= 0 && m.LatencyTarget == nil {
				d := time.Duration(min(l.Target.n, int64(maxSpan/time.Millisecond))) * time.Millisecond
				m.LatencyTarget = &d
			}
		}
	}
	if len(doc.Steering) > 0 {
		s := doc.Steering[0]
		if abs, err := resolve(b.url, strings.TrimSpace(s.URL)); err == nil {
			m.Steering = &Steering{URL: abs, DefaultServiceLocation: s.Default, QueryBeforeStart: s.Before == "true"}
		}
	}
}

// periods reads the periods and when they are (5.3.2.1): a start of its own,
// else the end of the one before, else 0.
func (b *builder) periods(doc *xmlMPD, top []BaseURL) {
	m := b.m
	starts := make([]time.Duration, len(doc.Period))
	known := make([]bool, len(doc.Period))
	for i := range doc.Period {
		x := &doc.Period[i]
		switch {
		case x.Start.set:
			starts[i], known[i] = x.Start.d, true
		case i == 0:
			known[i] = true
			if m.Dynamic {
				b.note("the first period has no start")
			}
		case known[i-1] && doc.Period[i-1].Duration.set:
			starts[i], known[i] = min(starts[i-1]+doc.Period[i-1].Duration.d, maxSpan), true
		}
	}
	for i := range doc.Period {
		x := &doc.Period[i]
		if !known[i] {
			b.note("period %d has no start yet", i)
			continue
		}
		if len(x.AdaptationSet) == 0 {
			if isRemote(x.Href) {
				b.remote++
				b.note("period %d is elsewhere (xlink)", i)
			} else {
				b.note("period %d has nothing in it", i)
			}
			continue
		}
		p := Period{ID: x.ID, Start: starts[i]}
		switch {
		case i+1 < len(starts) && known[i+1] && starts[i+1] <= starts[i]:
			b.note("period %d ends as it begins", i)
			continue
		case i+1 < len(starts) && known[i+1] && doc.Period[i+1].Start.set:
			p.Duration = starts[i+1] - starts[i]
		case x.Duration.set:
			p.Duration = x.Duration.d
		case i+1 == len(starts) && m.Duration != nil:
			p.Duration = max(*m.Duration-starts[i], 0)
		}
		m.Periods = append(m.Periods, p)
		b.sets(x, len(m.Periods)-1, b.bases(top, x.BaseURL))
	}
}

// isRemote says whether an xlink leads somewhere: what resolves to zero is left
// out (5.5.3).
func isRemote(href string) bool {
	return href != "" && href != "urn:mpeg:dash:resolve-to-zero:2013"
}

func (b *builder) sets(x *xmlPeriod, period int, bases []BaseURL) {
	for i := range x.AdaptationSet {
		xs := &x.AdaptationSet[i]
		if len(xs.Representation) == 0 && isRemote(xs.Href) {
			b.remote++
			b.note("an adaptation set is elsewhere (xlink)")
			continue
		}
		set := AdaptationSet{ID: xs.ID, Lang: xs.Lang, SelectionPriority: xs.SelectionPriority.or(1)}
		for _, r := range xs.Role {
			set.Roles = append(set.Roles, r.Value)
		}
		set.Trick, set.Unknown = essential(xs.Essential)
		set.Switching = switching(xs.Additional)
		span, speakers := dynamicRange(xs.Essential, xs.Additional), channels(xs.Channels)
		setBases := b.bases(bases, xs.BaseURL)
		addressing := inherit(x.xmlAddressing, xs.xmlAddressing)
		protection := slices.Clone(xs.Protection)
		for j := range xs.Representation {
			xr := &xs.Representation[j]
			r, err := b.representation(xs, xr, period, inherit(addressing, xr.xmlAddressing))
			if trick, unknown := essential(xr.Essential); err == nil && (trick || unknown != nil) {
				err = fmt.Errorf("EssentialProperty %s is not known: %w", clip(strings.Join(unknown, " ")), ErrUnsupported)
			}
			if err != nil {
				err = fmt.Errorf("representation %s: %w", clip(xr.ID), err)
				b.note("%v", err)
				if b.dropped == nil {
					b.dropped = err
				}
				continue
			}
			r.BaseURLs = b.bases(setBases, xr.BaseURL)
			r.Range, r.Channels = cmp.Or(r.Range, span), cmp.Or(r.Channels, speakers)
			protection = append(protection, xr.Protection...)
			set.Representations = append(set.Representations, r)
		}
		set.Protection = schemes(protection)
		set.ContentType = contentType(xs, set.Representations)
		p := &b.m.Periods[period]
		p.AdaptationSets = append(p.AdaptationSets, set)
	}
}

func (b *builder) representation(xs *xmlSet, xr *xmlRepresentation, period int, a xmlAddressing) (Representation, error) {
	mime, codecs := either(xr.MimeType, xs.MimeType), either(xr.Codecs, xs.Codecs)
	if !b.spend(64 + len(mime) + len(codecs)) {
		return Representation{}, ErrTooLarge
	}
	r := Representation{
		ID: xr.ID, Bandwidth: max(xr.Bandwidth.n, 0), mpd: b.m, period: period,
		Width: int(clamp(xr.Width.or(xs.Width.n))), Height: int(clamp(xr.Height.or(xs.Height.n))),
		FrameRate: frameRate(either(xr.FrameRate, xs.FrameRate)),
		MimeType:  mime,
		Range:     dynamicRange(xr.Essential, xr.Additional),
		Channels:  channels(xr.Channels),
	}
	for c := range strings.SplitSeq(codecs, ",") {
		if c = strings.TrimSpace(c); c != "" && len(r.Codecs) < MaxCodecs {
			r.Codecs = append(r.Codecs, c)
		}
	}
	var err error
	r.seg, err = b.addressing(a, &b.m.Periods[period])
	return r, err
}

func clamp(n int64) int64 { return min(max(n, 0), 1<<20) }

func either(own, above string) string {
	if own != "" {
		return own
	}
	return above
}

// schemes are the distinct schemes of the descriptors.
func schemes(list []xmlDescriptor) []string {
	var out []string
	seen := map[string]bool{}
	for _, d := range list {
		s := strings.ToLower(strings.TrimSpace(d.Scheme))
		if s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// contentType is what a set says of itself, else what its media types say, else
// what its codecs say.
func contentType(xs *xmlSet, reps []Representation) string {
	if xs.ContentType != "" {
		return strings.ToLower(xs.ContentType)
	}
	for _, c := range xs.Component {
		if c.ContentType != "" {
			return strings.ToLower(c.ContentType)
		}
	}
	for i := range reps {
		kind, _, _ := strings.Cut(strings.ToLower(reps[i].MimeType), "/")
		switch kind {
		case "video", "audio", "text", "image":
			return kind
		}
		for _, c := range reps[i].Codecs {
			if t := codecType(c); t != "" {
				return t
			}
		}
		if reps[i].Height > 0 {
			return "video"
		}
		if kind == "application" {
			return "text"
		}
	}
	return ""
}

// codecType is the content type of an RFC 6381 codec string; empty when it is
// not known.
func codecType(codec string) string {
	family, _, _ := strings.Cut(strings.ToLower(codec), ".")
	switch family {
	case "avc1", "avc3", "hev1", "hvc1", "dvh1", "dvhe", "dva1", "dvav", "dav1", "av01", "vp8", "vp9", "vp08", "vp09", "vvc1", "vvi1", "mp4v":
		return "video"
	case "mp4a", "ac-3", "ec-3", "ac-4", "opus", "vorbis", "flac", "alac", "dtsc", "dtse", "dtsh", "dtsl", "dtsx", "mha1", "mhm1", "iamf", "mp3":
		return "audio"
	case "stpp", "wvtt":
		return "text"
	}
	return ""
}

// bases resolves the BaseURLs of a level against those of the one above; without
// any those above stay (5.6.4). Availability offsets add up (5.3.9.5.3).
func (b *builder) bases(above []BaseURL, own []xmlBaseURL) []BaseURL {
	var out []BaseURL
	for _, up := range above {
		for i := range own {
			x := &own[i]
			if !b.spend(len(up.URL) + len(x.URL)) {
				return above
			}
			abs, err := resolve(up.URL, strings.TrimSpace(x.URL))
			if err != nil {
				b.note("BaseURL %s is not a URL", clip(x.URL))
				continue
			}
			if slices.ContainsFunc(out, func(o BaseURL) bool { return o.URL == abs }) {
				continue
			}
			if len(out) == MaxBaseURLs {
				return out
			}
			out = append(out, BaseURL{
				URL: abs, ServiceLocation: either(x.Service, up.ServiceLocation), Priority: x.Priority.or(max(up.Priority, 1)),
				AvailabilityTimeOffset:   addOffsets(up.AvailabilityTimeOffset, x.Offset.d),
				AvailabilityTimeComplete: up.AvailabilityTimeComplete && x.Complete != "false",
			})
		}
	}
	if out == nil {
		return above
	}
	return out
}

// resolve makes ref absolute (RFC 3986 section 5).
func resolve(base, ref string) (string, error) {
	if ref == "" {
		return base, nil
	}
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	r, err := b.Parse(ref)
	if err != nil {
		return "", err
	}
	return r.String(), nil
}
