package dash

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The elements as they stand in the document, before inheritance.
type (
	xmlMPD struct {
		ID                         string          `xml:"id,attr"`
		Profiles                   string          `xml:"profiles,attr"`
		Type                       string          `xml:"type,attr"`
		AvailabilityStartTime      instant         `xml:"availabilityStartTime,attr"`
		AvailabilityEndTime        instant         `xml:"availabilityEndTime,attr"`
		PublishTime                instant         `xml:"publishTime,attr"`
		MediaPresentationDuration  span            `xml:"mediaPresentationDuration,attr"`
		MinBufferTime              span            `xml:"minBufferTime,attr"`
		MaxSegmentDuration         span            `xml:"maxSegmentDuration,attr"`
		MinimumUpdatePeriod        span            `xml:"minimumUpdatePeriod,attr"`
		TimeShiftBufferDepth       span            `xml:"timeShiftBufferDepth,attr"`
		SuggestedPresentationDelay span            `xml:"suggestedPresentationDelay,attr"`
		BaseURL                    []xmlBaseURL    `xml:"BaseURL"`
		Location                   []string        `xml:"Location"`
		Patch                      []xmlPatch      `xml:"PatchLocation"`
		UTCTiming                  []xmlDescriptor `xml:"UTCTiming"`
		Steering                   []xmlSteering   `xml:"ContentSteering"`
		Service                    []xmlService    `xml:"ServiceDescription"`
		Period                     []xmlPeriod     `xml:"Period"`
	}
	xmlPeriod struct {
		ID            string       `xml:"id,attr"`
		Start         span         `xml:"start,attr"`
		Duration      span         `xml:"duration,attr"`
		Href          string       `xml:"href,attr"`
		BaseURL       []xmlBaseURL `xml:"BaseURL"`
		AdaptationSet []xmlSet     `xml:"AdaptationSet"`
		xmlAddressing
	}
	xmlSet struct {
		ID                string `xml:"id,attr"`
		Href              string `xml:"href,attr"`
		ContentType       string `xml:"contentType,attr"`
		Lang              string `xml:"lang,attr"`
		SelectionPriority number `xml:"selectionPriority,attr"`
		xmlCommon
		BaseURL        []xmlBaseURL        `xml:"BaseURL"`
		Component      []xmlComponent      `xml:"ContentComponent"`
		Role           []xmlDescriptor     `xml:"Role"`
		Representation []xmlRepresentation `xml:"Representation"`
		xmlAddressing
	}
	xmlRepresentation struct {
		ID        string `xml:"id,attr"`
		Bandwidth number `xml:"bandwidth,attr"`
		xmlCommon
		BaseURL []xmlBaseURL `xml:"BaseURL"`
		xmlAddressing
	}
	// xmlCommon is what sets and representations share (5.3.7).
	xmlCommon struct {
		MimeType   string          `xml:"mimeType,attr"`
		Codecs     string          `xml:"codecs,attr"`
		Width      number          `xml:"width,attr"`
		Height     number          `xml:"height,attr"`
		FrameRate  string          `xml:"frameRate,attr"`
		Protection []xmlDescriptor `xml:"ContentProtection"`
		Essential  []xmlDescriptor `xml:"EssentialProperty"`
		Additional []xmlDescriptor `xml:"SupplementalProperty"`
		Channels   []xmlDescriptor `xml:"AudioChannelConfiguration"`
	}
	xmlPatch struct {
		URL string `xml:",chardata"`
		TTL number `xml:"ttl,attr"`
	}
	xmlComponent struct {
		ContentType string `xml:"contentType,attr"`
	}
	xmlDescriptor struct {
		Scheme string `xml:"schemeIdUri,attr"`
		Value  string `xml:"value,attr"`
	}
	xmlSteering struct {
		URL     string `xml:",chardata"`
		Default string `xml:"defaultServiceLocation,attr"`
		Before  string `xml:"queryBeforeStart,attr"`
	}
	xmlService struct {
		Latency []struct {
			Target number `xml:"target,attr"`
		} `xml:"Latency"`
	}
	xmlBaseURL struct {
		URL      string `xml:",chardata"`
		Service  string `xml:"serviceLocation,attr"`
		Priority number `xml:"priority,attr"` // dvb:
		Offset   offset `xml:"availabilityTimeOffset,attr"`
		Complete string `xml:"availabilityTimeComplete,attr"`
	}
	// xmlAddressing is how segments are found (5.3.9): one of the three a level.
	xmlAddressing struct {
		Base     *xmlSegment `xml:"SegmentBase"`
		List     *xmlSegment `xml:"SegmentList"`
		Template *xmlSegment `xml:"SegmentTemplate"`
	}
	// xmlSegment is any of SegmentBase, SegmentList and SegmentTemplate.
	xmlSegment struct {
		Timescale   number       `xml:"timescale,attr"`
		PTO         number       `xml:"presentationTimeOffset,attr"`
		Duration    number       `xml:"duration,attr"`
		StartNumber number       `xml:"startNumber,attr"`
		EndNumber   number       `xml:"endNumber,attr"`
		Sequence    number       `xml:"k,attr"`
		Offset      offset       `xml:"availabilityTimeOffset,attr"`
		Complete    string       `xml:"availabilityTimeComplete,attr"`
		IndexRange  string       `xml:"indexRange,attr"`
		Media       string       `xml:"media,attr"`
		InitURL     string       `xml:"initialization,attr"`
		Index       string       `xml:"index,attr"`
		Init        *xmlResource `xml:"Initialization"`
		IndexAt     *xmlResource `xml:"RepresentationIndex"`
		Timeline    *xmlTimeline `xml:"SegmentTimeline"`
		URLs        []xmlURL     `xml:"SegmentURL"`
	}
	xmlResource struct {
		SourceURL string `xml:"sourceURL,attr"`
		Range     string `xml:"range,attr"`
	}
	xmlURL struct {
		Media string `xml:"media,attr"`
		Range string `xml:"mediaRange,attr"`
	}
	xmlTimeline struct {
		S []xmlS `xml:"S"`
	}
	xmlS struct {
		T number `xml:"t,attr"`
		D number `xml:"d,attr"`
		R number `xml:"r,attr"`
		N number `xml:"n,attr"`
		K number `xml:"k,attr"`
	}
)

// bounded hands on the tokens of a document and fails beyond this package's
// bounds. Prefixes without a declaration are let pass.
type bounded struct {
	dec      *xml.Decoder
	depth    int
	elements int
}

var (
	errNotMPD = errors.New("the root element is not MPD")
	errPatch  = errors.New("an MPD patch in place of an MPD")
)

// Token answers the next token (xml.TokenReader).
func (b *bounded) Token() (xml.Token, error) {
	tok, err := b.dec.RawToken()
	if err != nil {
		return tok, err
	}
	switch t := tok.(type) {
	case xml.StartElement:
		switch {
		case b.depth > 0 || t.Name.Local == "MPD":
		case t.Name.Local == "Patch":
			return nil, errPatch
		default:
			return nil, fmt.Errorf("%w but %s", errNotMPD, clip(t.Name.Local))
		}
		b.depth++
		b.elements++
		switch {
		case b.depth > MaxDepth:
			return nil, fmt.Errorf("more than %d levels: %w", MaxDepth, ErrTooLarge)
		case b.elements > MaxElements:
			return nil, fmt.Errorf("more than %d elements: %w", MaxElements, ErrTooLarge)
		case len(t.Attr) > MaxAttributes:
			return nil, fmt.Errorf("more than %d attributes: %w", MaxAttributes, ErrTooLarge)
		}
		for i := range t.Attr {
			if len(t.Attr[i].Value) > MaxValue {
				return nil, fmt.Errorf("attribute %s of more than %d bytes: %w", clip(t.Attr[i].Name.Local), MaxValue, ErrTooLarge)
			}
		}
	case xml.EndElement:
		b.depth--
	case xml.CharData:
		if len(t) > MaxValue {
			return nil, fmt.Errorf("text of more than %d bytes: %w", MaxValue, ErrTooLarge)
		}
	case xml.Directive:
		if bytes.Contains(t, []byte("ENTITY")) {
			return nil, errors.New("it declares entities")
		}
	}
	return tok, nil
}

// decode reads the elements. Faults go to note.
func decode(u string, body []byte, note func(string, ...any)) (*xmlMPD, error) {
	if len(body) > MaxBytes {
		return nil, errorf(u, ErrTooLarge, "more than %d bytes", MaxBytes)
	}
	if rest, ok := bytes.CutPrefix(body, []byte("\xef\xbb\xbf")); ok {
		note("byte order mark")
		body = rest
	}
	if rest := bytes.TrimLeft(body, " \t\r\n"); len(rest) < len(body) {
		note("white space before the document")
		body = rest
	}
	switch {
	case len(body) == 0:
		return nil, errorf(u, ErrInvalid, "the body is empty")
	case body[0] != '<':
		return nil, errorf(u, ErrInvalid, "not XML, it begins with %s", clip(string(body[:min(len(body), 64)])))
	}
	if !utf8.Valid(body) {
		note("not UTF-8")
		body = bytes.ToValidUTF8(body, []byte("?"))
	}
	b := &bounded{dec: xml.NewDecoder(bytes.NewReader(body))}
	// Whatever the declaration says, what is read of an MPD is ASCII or UTF-8.
	b.dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	doc := &xmlMPD{}
	if err := xml.NewTokenDecoder(b).Decode(doc); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it ends too early")
		}
		line, _ := b.dec.InputPos()
		what := strings.TrimSuffix(err.Error(), ": "+ErrTooLarge.Error())
		class := ErrInvalid
		switch {
		case errors.Is(err, ErrTooLarge):
			class = ErrTooLarge
		case errors.Is(err, errPatch):
			class = ErrUnsupported
		}
		return nil, errorf(u, class, "line %d: %s", line, what)
	}
	return doc, nil
}
