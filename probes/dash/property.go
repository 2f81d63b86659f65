package dash

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// knownEssential are the schemes of EssentialProperty without which, or in spite
// of which, what they stand at can be played here: how colours are coded, fonts of
// subtitles, thumbnails, parameters of URLs that are played without, segment
// sequences.
var knownEssential = []string{
	"urn:mpeg:mpegb:cicp:colourprimaries", "urn:mpeg:mpegb:cicp:transfercharacteristics",
	"urn:mpeg:mpegb:cicp:matrixcoefficients", "urn:mpeg:mpegb:cicp:videofullrangeflag",
	"urn:dvb:dash:fontdownload:2014", "urn:dvb:dash:fontdownload:2016",
	"http://dashif.org/thumbnail_tile", "http://dashif.org/guidelines/thumbnail_tile",
	"urn:mpeg:dash:urlparam:2014", "urn:mpeg:dash:urlparam:2016",
	"urn:mpeg:dash:ssr:2023",
}

// essential reads EssentialProperty descriptors (5.8.4.8): whether they are of
// trick mode, and the schemes that are not known.
func essential(list []xmlDescriptor) (trick bool, unknown []string) {
	for _, scheme := range schemes(list) {
		switch {
		case strings.HasSuffix(scheme, "/trickmode"):
			trick = true
		case !slices.Contains(knownEssential, scheme):
			unknown = append(unknown, scheme)
		}
	}
	return trick, unknown
}

// maxSwitching bounds the sets that one may be switched with; further ones are
// left out.
const maxSwitching = 32

// switching are the ids of the sets that one may be switched with (5.3.3.5).
func switching(list []xmlDescriptor) (ids []string) {
	for _, d := range list {
		if d.Scheme == "urn:mpeg:dash:adaptation-set-switching:2016" {
			for id := range strings.SplitSeq(d.Value, ",") {
				if len(ids) == maxSwitching {
					return ids
				}
				ids = append(ids, strings.TrimSpace(id))
			}
		}
	}
	return ids
}

// dynamicRange is PQ or HLG, by the transfer characteristics (ISO/IEC 23091-2
// clause 8.2).
func dynamicRange(lists ...[]xmlDescriptor) string {
	for _, list := range lists {
		for _, d := range list {
			if strings.EqualFold(d.Scheme, "urn:mpeg:mpegB:cicp:TransferCharacteristics") {
				switch strings.TrimSpace(d.Value) {
				case "16":
					return "PQ"
				case "18":
					return "HLG"
				}
			}
		}
	}
	return ""
}

// cicpChannels are the channels of the configurations of ISO/IEC 23091-3 clause
// 6.1, by number.
var cicpChannels = [...]int{0, 1, 2, 3, 4, 5, 6, 8, 2, 3, 4, 7, 8, 24, 8, 12, 10, 12, 14, 12, 14}

// channels reads AudioChannelConfiguration (5.8.5.4), the first that is known: a
// number, one of a list, or Dolby's bits, of which some stand for two channels.
func channels(list []xmlDescriptor) int {
	for _, d := range list {
		value := strings.TrimSpace(d.Value)
		switch strings.ToLower(d.Scheme) {
		case "urn:mpeg:dash:23003:3:audio_channel_configuration:2011", "urn:mpeg:mpegb:cicp:channelconfiguration":
			n, err := strconv.Atoi(value)
			if err == nil && n > 0 && n < len(cicpChannels) {
				return cicpChannels[n]
			}
		case "urn:dolby:dash:audio_channel_configuration:2011", "tag:dolby.com,2014:dash:audio_channel_configuration:2011":
			// ETSI TS 102 366 clause E.1.3.1.8: pairs are the bits of Lc/Rc, Lrs/Rrs,
			// Lsd/Rsd, Lw/Rw, Lvh/Rvh, Lts/Rts.
			const pairs = 1<<10 | 1<<9 | 1<<6 | 1<<5 | 1<<4 | 1<<2
			if mask, err := strconv.ParseUint(value, 16, 16); err == nil && mask > 0 {
				return bits.OnesCount64(mask) + bits.OnesCount64(mask&pairs)
			}
		}
	}
	return 0
}
