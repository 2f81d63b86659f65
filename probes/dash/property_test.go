package dash

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// What descriptors say of a set and its representations.
func TestProperties(t *testing.T) {
	const cicp = "urn:mpeg:mpegB:cicp:"
	descriptor := func(element, scheme, value string) string {
		return fmt.Sprintf(`<%s schemeIdUri=%q value=%q/>`, element, scheme, value)
	}
	for _, tt := range []struct {
		name, set, rep string
		found          bool // by Sets
		unknown        []string
		switching      []string
		span           string
		channels       int
	}{
		{"nothing", "", "", true, nil, nil, "", 0},
		{"trick mode", descriptor("EssentialProperty", "http://dashif.org/guidelines/trickmode", "1"), "", false, nil, nil, "", 0},
		{"unknown", descriptor("EssentialProperty", "urn:Example:x", "1"), "", false, []string{"urn:example:x"}, nil, "", 0},
		{"unknown, but not essential", descriptor("SupplementalProperty", "urn:example:x", "1"), "", true, nil, nil, "", 0},
		{"colours", descriptor("EssentialProperty", cicp+"ColourPrimaries", "9") + descriptor("EssentialProperty", cicp+"TransferCharacteristics", "16"), "", true, nil, nil, "PQ", 0},
		{"colours of a representation", "", descriptor("SupplementalProperty", cicp+"TransferCharacteristics", "18"), true, nil, nil, "HLG", 0},
		{"switching", descriptor("SupplementalProperty", "urn:mpeg:dash:adaptation-set-switching:2016", "2, 3"), "", true, nil, []string{"2", "3"}, "", 0},
		{"stereo", descriptor("AudioChannelConfiguration", "urn:mpeg:dash:23003:3:audio_channel_configuration:2011", "2"), "", true, nil, nil, "", 2},
		{"7.1 by CICP", descriptor("AudioChannelConfiguration", cicp+"ChannelConfiguration", "12"), "", true, nil, nil, "", 8},
		{"5.1 by Dolby", descriptor("AudioChannelConfiguration", "tag:dolby.com,2014:dash:audio_channel_configuration:2011", "F801"), "", true, nil, nil, "", 6},
		{"5.1.4 by Dolby, of two", descriptor("AudioChannelConfiguration", "urn:example:x", "99") + descriptor("AudioChannelConfiguration", "urn:dolby:dash:audio_channel_configuration:2011", "F815"), "", true, nil, nil, "", 10},
		{"a representation's own goes first", descriptor("AudioChannelConfiguration", cicp+"ChannelConfiguration", "6"), descriptor("AudioChannelConfiguration", cicp+"ChannelConfiguration", "1"), true, nil, nil, "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse("https://o.example/m.mpd", fmt.Appendf(nil, `<MPD mediaPresentationDuration="PT9S"><Period><AdaptationSet contentType="video">%s<Representation id="1" bandwidth="1">%s<BaseURL>v.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`, tt.set, tt.rep))
			if err != nil {
				t.Fatal(err)
			}
			set := m.Periods[0].AdaptationSets[0]
			r := set.Representations[0]
			if found := len(m.Periods[0].Sets("video")) == 1; found != tt.found || !slices.Equal(set.Unknown, tt.unknown) || !slices.Equal(set.Switching, tt.switching) {
				t.Errorf("found %v, unknown %q, switching %q", found, set.Unknown, set.Switching)
			}
			if r.Range != tt.span || r.Channels != tt.channels {
				t.Errorf("range %q, %d channels; want %q, %d", r.Range, r.Channels, tt.span, tt.channels)
			}
		})
	}
	// A representation that takes what is not known is left out, and nothing else
	// is not supported.
	_, err := Parse("https://o.example/m.mpd", []byte(`<MPD mediaPresentationDuration="PT9S"><Period><AdaptationSet contentType="video"><Representation id="1" bandwidth="1">`+
		descriptor("EssentialProperty", "urn:example:x", "1")+`<BaseURL>v.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`))
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v, want ErrUnsupported", err)
	}
}
