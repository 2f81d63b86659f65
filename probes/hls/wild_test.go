package hls

import (
	"fmt"
	"strings"
	"testing"
)

// The manifests below are made up after the manner of services and packagers that
// many streams come from.

// TestWildMultivariant: the variants to start with and the audio beside the first.
func TestWildMultivariant(t *testing.T) {
	for _, tt := range []struct {
		name, url, body string
		variants        string // URIs, in order
		audio           string // of the first
	}{
		{"Apple's advanced example, fMP4", "https://d.example/hls/img_bipbop_adv_example_fmp4/master.m3u8", `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS

#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=2168183,BANDWIDTH=2177116,CODECS="avc1.640020,mp4a.40.2",RESOLUTION=960x540,FRAME-RATE=60.000,CLOSED-CAPTIONS="cc1",AUDIO="aud1",SUBTITLES="sub1"
v5/prog_index.m3u8
#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=2390686,BANDWIDTH=2399619,CODECS="avc1.640020,ac-3",RESOLUTION=960x540,FRAME-RATE=60.000,CLOSED-CAPTIONS="cc1",AUDIO="aud2",SUBTITLES="sub1"
v5/prog_index.m3u8


#EXT-X-I-FRAME-STREAM-INF:AVERAGE-BANDWIDTH=183689,BANDWIDTH=187492,CODECS="avc1.64002a",RESOLUTION=1920x1080,URI="v7/iframe_index.m3u8"

#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud1",LANGUAGE="en",NAME="English",AUTOSELECT=YES,DEFAULT=YES,CHANNELS="2",URI="a1/prog_index.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud2",LANGUAGE="en",NAME="English",AUTOSELECT=YES,DEFAULT=YES,CHANNELS="6",URI="a2/prog_index.m3u8"

#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc1",LANGUAGE="en",NAME="English",AUTOSELECT=YES,DEFAULT=YES,INSTREAM-ID="CC1"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="sub1",LANGUAGE="en",NAME="English",AUTOSELECT=YES,DEFAULT=YES,FORCED=NO,URI="s1/en/prog_index.m3u8"
`, "https://d.example/hls/img_bipbop_adv_example_fmp4/v5/prog_index.m3u8 https://d.example/hls/img_bipbop_adv_example_fmp4/v5/prog_index.m3u8",
			"https://d.example/hls/img_bipbop_adv_example_fmp4/a1/prog_index.m3u8"},
		{"Apple's oldest example, with gear0 of sound", "https://d.example/bipbop_4x3_variant.m3u8", "#EXTM3U\n\n\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"bipbop_audio\",LANGUAGE=\"eng\",NAME=\"BipBop Audio 1\",AUTOSELECT=YES,DEFAULT=YES\n" +
			"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"bipbop_audio\",LANGUAGE=\"eng\",NAME=\"BipBop Audio 2\",AUTOSELECT=NO,DEFAULT=NO,URI=\"alternate_audio_aac_sinewave/prog_index.m3u8\"\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=263851,CODECS=\"mp4a.40.2, avc1.4d400d\",RESOLUTION=416x234,AUDIO=\"bipbop_audio\",SUBTITLES=\"subs\"\ngear1/prog_index.m3u8\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=41457,CODECS=\"mp4a.40.2\",AUDIO=\"bipbop_audio\",SUBTITLES=\"subs\"\ngear0/prog_index.m3u8\n",
			"https://d.example/gear1/prog_index.m3u8", ""},
		{"Dolby Vision with SUPPLEMENTAL-CODECS, layouts, session key, interstitials' session data", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-VERSION:12\n#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://f\",KEYFORMAT=\"com.apple.streamingkeydelivery\",KEYFORMATVERSIONS=\"1\"\n" +
			"#EXT-X-SESSION-DATA:DATA-ID=\"com.example.title\",VALUE=\"A, \\ B\",LANGUAGE=\"en\"\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer?x=1\",PATHWAY-ID=\"A\"\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=9000000,CODECS=\"hvc1.2.20000000.L153.B0,ec-3\",SUPPLEMENTAL-CODECS=\"dvh1.08.07/db4h\",RESOLUTION=3840x2160,REQ-VIDEO-LAYOUT=\"CH-STEREO/PROJ-HEQU,CH-MONO\",VIDEO-RANGE=PQ,HDCP-LEVEL=TYPE-1,ALLOWED-CPC=\"com.example.drm1:SMART-TV/PC\",PATHWAY-ID=\"A\"\na/2160.m3u8\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=9000000,CODECS=\"hvc1.2.20000000.L153.B0,ec-3\",RESOLUTION=3840x2160,PATHWAY-ID=\"B\"\nb/2160.m3u8\n",
			"https://d.example/a/2160.m3u8", ""},
		{"Wowza", "https://w.example:1935/live/smil:news.smil/playlist.m3u8?token=a%2Fb", "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=1628000,CODECS=\"avc1.77.31,mp4a.40.2\",RESOLUTION=1280x720\nchunklist_w1628_b1628000.m3u8?token=a%2Fb\n#EXT-X-STREAM-INF:BANDWIDTH=64000,NAME=\"audio\",CODECS=\"mp4a.40.2\"\nchunklist_w1628_b64000_ao.m3u8\n",
			"https://w.example:1935/live/smil:news.smil/chunklist_w1628_b1628000.m3u8?token=a%2Fb", ""},
		{"Mux, signed", "https://stream.example/abc.m3u8?token=ey.J.x", "#EXTM3U\n#EXT-X-VERSION:5\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"sub1\",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog\",NAME=\"English\",AUTOSELECT=YES,DEFAULT=NO,FORCED=NO,LANGUAGE=\"en\",URI=\"https://manifest-x.example/s.m3u8?cdn=f&expires=1&signature=AB_C==\"\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=2516370,AVERAGE-BANDWIDTH=2516370,CODECS=\"mp4a.40.2,avc1.640020\",RESOLUTION=1280x720,CLOSED-CAPTIONS=NONE,SUBTITLES=\"sub1\"\nhttps://manifest-x.example/xyz/rendition.m3u8?cdn=fastly&expires=1700&skid=default&signature=NjU1_0a==&vsid=Q\n",
			"https://manifest-x.example/xyz/rendition.m3u8?cdn=fastly&expires=1700&skid=default&signature=NjU1_0a==&vsid=Q", ""},
		{"protocol-relative, absolute paths, CRLF, a byte order mark, blank lines, comments", "https://d.example/x/m.m3u8", "\xef\xbb\xbf#EXTM3U\r\n\r\n## made by hand\r\n#EXT-X-STREAM-INF:PROGRAM-ID=1, BANDWIDTH=800000, RESOLUTION=640x360\r\n//cdn.example/v/1.m3u8\r\n\r\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640X360\r\n/v/2.m3u8  \r\n#EXT-X-STREAM-INF:BANDWIDTH=1000000,RESOLUTION=640x360\r\n?v=3\r\n",
			"https://cdn.example/v/1.m3u8 https://d.example/v/2.m3u8 https://d.example/x/m.m3u8?v=3", ""},
		{"a comment between a tag and its URI", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360\n# 360p\n\n360.m3u8\n", "https://d.example/360.m3u8", ""},
		{"BANDWIDTH with a fraction, RESOLUTION with one, names of one's own", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000.5,RESOLUTION=640.0x360.0,X-COM-EXAMPLE-A=\"b=c,d\",FRAME-RATE=29.97\n360.m3u8\n", "https://d.example/360.m3u8", ""},
		{"several languages, the default one last", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"de\",LANGUAGE=\"de\",AUTOSELECT=YES,URI=\"de.m3u8\"\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"ad\",LANGUAGE=\"en\",CHARACTERISTICS=\"public.accessibility.describes-video\",AUTOSELECT=YES,URI=\"ad.m3u8\"\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",LANGUAGE=\"en\",AUTOSELECT=YES,DEFAULT=YES,URI=\"en.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1,AUDIO=\"a\"\nv.m3u8\n", "https://d.example/v.m3u8", "https://d.example/en.m3u8"},
		{"a group that is not there", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1,AUDIO=\"nowhere\"\nv.m3u8\n", "https://d.example/v.m3u8", ""},
		{"Vimeo, query in the way and ranges elsewhere", "https://skyfire.example/exp=1~acl=%2F*~hmac=a/playlist.m3u8?base64_init=1&query_string_ranges=1", "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-STREAM-INF:CLOSED-CAPTIONS=NONE,BANDWIDTH=2900000,AVERAGE-BANDWIDTH=1600000,RESOLUTION=1280x720,FRAME-RATE=25.000,CODECS=\"avc1.640020,mp4a.40.2\",AUDIO=\"audio-high\"\n../../../parcel/video/1.m3u8?pathsig=8c~x&st=video\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio-high\",NAME=\"Original\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"../../../parcel/audio/1.m3u8?pathsig=8c~y\"\n",
			"https://skyfire.example/parcel/video/1.m3u8?pathsig=8c~x&st=video", "https://skyfire.example/parcel/audio/1.m3u8?pathsig=8c~y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(tt.url, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			m := p.Multivariant
			var uris []string
			all := m.Candidates(m.StartPathway())
			for _, v := range all {
				uris = append(uris, v.URI)
				if v.Bandwidth == 0 {
					t.Errorf("%s has no bandwidth", v.URI)
				}
			}
			if got := strings.Join(uris, " "); got != tt.variants {
				t.Errorf("variants %s, want %s", got, tt.variants)
			}
			audio := ""
			if a := m.AudioFor(all[0]); a != nil {
				audio = a.URI
			}
			if audio != tt.audio {
				t.Errorf("audio %q, want %q", audio, tt.audio)
			}
		})
	}
}

// TestWildMedia: the segments, with their ranges and maps.
func TestWildMedia(t *testing.T) {
	for _, tt := range []struct {
		name, url, body string
		live            bool
		target          string
		segments        string // URI and range, map in brackets, gap as !
	}{
		{"Apple's byte ranges with a map in one file", "https://d.example/v5/prog_index.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-VERSION:7\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"main.mp4\",BYTERANGE=\"719@0\"\n#EXTINF:6.00000,\t\n#EXT-X-BYTERANGE:1508000@719\nmain.mp4\n#EXTINF:6.00000,\t\n#EXT-X-BYTERANGE:1510244\nmain.mp4\n#EXT-X-ENDLIST\n",
			false, "6s", "https://d.example/v5/main.mp4 1508000@719 [https://d.example/v5/main.mp4 719@0]; https://d.example/v5/main.mp4 1510244@1508719 [https://d.example/v5/main.mp4 719@0]"},
		{"MediaTailor: discontinuities, ads elsewhere, dates, cue tags", "https://mt.example/v1/manifest/x/0.m3u8?aws.sessionId=1", "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:7\n#EXT-X-MEDIA-SEQUENCE:8779957\n#EXT-X-DISCONTINUITY-SEQUENCE:5\n#EXT-X-PROGRAM-DATE-TIME:2026-11-23T10:00:00.123+0000\n#EXTINF:6.006,\n../../../v1/segment/x/0/8779957\n#EXT-OATCLS-SCTE35:/DAlAAAAAAAAAP/w==\n#EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2026-11-23T10:00:06Z\",PLANNED-DURATION=30.0,SCTE35-OUT=0xFC30\n#EXT-X-ASSET:CAID=0x1\n#EXT-X-CUE-OUT:30.0\n#EXT-X-DISCONTINUITY\n#EXTINF:4.0,\nhttps://segments.mediatailor.example/tm/ad/1.ts\n#EXT-X-CUE-OUT-CONT:4/30\n#EXT-X-DISCONTINUITY\n#EXT-X-CUE-IN\n#EXTINF:6.006,\n../../../v1/segment/x/0/8779958\n",
			true, "7s", "https://mt.example/v1/segment/x/0/8779957; https://segments.mediatailor.example/tm/ad/1.ts; https://mt.example/v1/segment/x/0/8779958"},
		{"Interstitials", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PROGRAM-DATE-TIME:2026-01-02T21:55:40.000Z\n#EXT-X-DATERANGE:ID=\"ad1\",CLASS=\"com.apple.hls.interstitial\",START-DATE=\"2026-01-02T21:55:44.000Z\",DURATION=15.0,X-ASSET-LIST=\"https://ads.example/a.json?x=1,2\",X-RESUME-OFFSET=0,X-RESTRICT=\"SKIP,JUMP\",CUE=\"PRE,ONCE\"\n#EXTINF:6,\n1.ts\n#EXT-X-ENDLIST\n", false, "6s", "https://d.example/1.ts"},
		{"Nimble, nginx-vod: titles, float target, no newline at the end", "https://n.example/live/chunks.m3u8?nimblesessionid=5", "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6.4\n#EXT-X-MEDIA-SEQUENCE:100\n#EXTINF:6.4,title, with a comma\nl_1.ts?nimblesessionid=5\n#EXTINF:6.4\nl_2.ts?nimblesessionid=5", true, "6.4s", "https://n.example/live/l_1.ts?nimblesessionid=5; https://n.example/live/l_2.ts?nimblesessionid=5"},
		{"segments of no length, and of a little more than the target", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:0.000,\n0.ts\n#EXTINF:2.4,\n1.ts\n#EXT-X-ENDLIST\n", false, "2s", "https://d.example/0.ts; https://d.example/1.ts"},
		{"query-only and fragment URIs", "https://d.example/v.php?id=1", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n?id=1&seg=1\n#EXTINF:2,\nseg.ts#t=0\n#EXT-X-ENDLIST\n", false, "2s", "https://d.example/v.php?id=1&seg=1; https://d.example/seg.ts#t=0"},
		{"Vimeo: map and segments as ranges in queries", "https://v.example/p/media.m3u8?st=video", "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-VERSION:7\n#EXT-X-MAP:URI=\"data:video/mp4;base64,AAAA\"\n#EXTINF:6,\n../../range/prot/cmFuZ2U9MC0x/avf/1.mp4?pathsig=8c&r=dXM%3D&range=0-99\n#EXT-X-ENDLIST\n", false, "6s", "https://v.example/range/prot/cmFuZ2U9MC0x/avf/1.mp4?pathsig=8c&r=dXM%3D&range=0-99 [data:video/mp4;base64,AAAA]"},
		{"ranges of one file after another", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\na.ts\n#EXTINF:2,\n#EXT-X-BYTERANGE:50@0\nb.ts\n#EXTINF:2,\n#EXT-X-BYTERANGE:60\nb.ts\n#EXT-X-ENDLIST\n", false, "2s", "https://d.example/a.ts 100@0; https://d.example/b.ts 50@0; https://d.example/b.ts 60@50"},
		{"a range before EXTINF", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-BYTERANGE:100@0\n#EXTINF:2,\na.ts\n#EXT-X-BYTERANGE: 50@100\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n", false, "2s", "https://d.example/a.ts 100@0; https://d.example/a.ts 50@100"},
		{"a map for each period, gaps, bitrate, an event", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"1/i.mp4\"\n#EXT-X-BITRATE:800\n#EXTINF:4,\n1/1.m4s\n#EXT-X-GAP\n#EXTINF:4,\n1/2.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"2/i.mp4\"\n#EXTINF:4,\n2/1.m4s\n", true, "4s", "https://d.example/1/1.m4s [https://d.example/1/i.mp4]; !https://d.example/1/2.m4s [https://d.example/1/i.mp4]; https://d.example/2/1.m4s [https://d.example/2/i.mp4]"},
		{"FairPlay, Widevine and PlayReady side by side", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\",KEYFORMATVERSIONS=\"1\"\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:text/plain;base64,AAAAW3Bzc2g=\",KEYID=0x112233,IV=0x00,KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\",KEYFORMATVERSIONS=\"1\"\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:text/plain;charset=UTF-16;base64,xgEAAA==\",KEYFORMAT=\"com.microsoft.playready\",KEYFORMATVERSIONS=\"1\"\n#EXTINF:4,\n1.m4s\n#EXT-X-ENDLIST\n", false, "4s", "https://d.example/1.m4s [https://d.example/i.mp4]"},
		{"a key of METHOD=NONE with nothing else, attributes with spaces, lower case no", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-ALLOW-CACHE:YES\n#EXT-X-KEY:METHOD=NONE\n#EXTINF: 4.0 ,\n1.ts\n#EXT-X-KEY: METHOD=AES-128, URI=\"k?a=b,c\", IV=0X000102\n#EXTINF:4\n2.ts\n#EXT-X-ENDLIST\n", false, "4s", "https://d.example/1.ts; https://d.example/2.ts"},
		{"dates without a zone's colon, with a space, with nanoseconds", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PROGRAM-DATE-TIME:2026-11-23 10:00:00+01:00\n#EXTINF:4,\n1.ts\n#EXT-X-PROGRAM-DATE-TIME:2026-11-23T10:00:04.123456789+0100\n#EXTINF:4,\n2.ts\n", true, "4s", "https://d.example/1.ts; https://d.example/2.ts"},
		{"the end before the last segment, a target duration late", "https://d.example/m.m3u8", "#EXTM3U\n#EXTINF:4,\n1.ts\n#EXT-X-TARGETDURATION:4\n#EXT-X-ENDLIST\n#EXTINF:4,\n2.ts\n", false, "4s", "https://d.example/1.ts; https://d.example/2.ts"},
		{"spaces and letters in URIs", "https://d.example/m.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfolge 1/é_[1].ts\n#EXT-X-ENDLIST\n", false, "4s", "https://d.example/folge%201/%C3%A9_[1].ts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(tt.url, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if p.Media == nil {
				t.Fatal("no media playlist")
			}
			where := func(uri string, r ByteRange) string {
				if r.IsWhole() {
					return uri
				}
				return fmt.Sprintf("%s %d@%d", uri, r.Length, r.Offset)
			}
			var got []string
			for i := range p.Media.Segments {
				s := &p.Media.Segments[i]
				text := where(s.URI, s.ByteRange)
				if s.Gap {
					text = "!" + text
				}
				if s.Map != nil {
					text += " [" + where(s.Map.URI, s.Map.ByteRange) + "]"
				}
				got = append(got, text)
			}
			if g := strings.Join(got, "; "); g != tt.segments {
				t.Errorf("segments\n%s\nwant\n%s", g, tt.segments)
			}
			if p.Media.Live() != tt.live || p.Media.TargetDuration.String() != tt.target {
				t.Errorf("live %v, target duration %v; want %v, %s", p.Media.Live(), p.Media.TargetDuration, tt.live, tt.target)
			}
		})
	}
}
