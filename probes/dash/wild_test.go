package dash

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The MPDs below are made up after the manner of services and packagers that many
// streams come from.

// TestWild: of the first set of video the initialization and the segment to start
// with: the first, of a live one the newest that is there ten minutes after the
// start of the presentation.
func TestWild(t *testing.T) {
	const ns = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	began := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, url, body string
		want            string // init, segment, with ranges; or index=
	}{
		{"livesim2, number", "https://livesim.example/livesim2/testpic_2s/Manifest.mpd",
			ns + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="auto-patch-id" profiles="urn:mpeg:dash:profile:isoff-live:2011,http://dashif.org/guidelines/dash-if-simple" type="dynamic" availabilityStartTime="2026-11-23T10:00:00Z" publishTime="2026-11-23T10:00:00Z" minimumUpdatePeriod="PT2S" minBufferTime="PT2S" timeShiftBufferDepth="PT1M" maxSegmentDuration="PT2S"><ProgramInformation><Title>640x360@30 video</Title></ProgramInformation><Period id="P0" start="PT0S"><AdaptationSet id="1" lang="en" contentType="audio" segmentAlignment="true" mimeType="audio/mp4" startWithSAP="1"><Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"></Role><SegmentTemplate media="$RepresentationID$/$Number$.m4s" initialization="$RepresentationID$/init.mp4" duration="2" startNumber="0"></SegmentTemplate><Representation id="A48" bandwidth="48000" audioSamplingRate="48000" codecs="mp4a.40.2"/></AdaptationSet><AdaptationSet id="2" contentType="video" par="16:9" minWidth="640" maxFrameRate="60/2" segmentAlignment="true" mimeType="video/mp4" startWithSAP="1"><Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"></Role><SegmentTemplate media="$RepresentationID$/$Number$.m4s" initialization="$RepresentationID$/init.mp4" duration="2" startNumber="0"></SegmentTemplate><Representation id="V300" bandwidth="300000" width="640" height="360" sar="1:1" frameRate="60/2" codecs="avc1.64001e"/></AdaptationSet></Period><UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-xsdate:2014" value="https://time.example/?iso&amp;ms"/></MPD>`,
			"https://livesim.example/livesim2/testpic_2s/V300/init.mp4 https://livesim.example/livesim2/testpic_2s/V300/299.m4s"},
		{"Akamai, low latency", "https://cmafref.example/cmaf/live-ull/1/out.mpd",
			ns + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic" minimumUpdatePeriod="PT500S" suggestedPresentationDelay="PT2.5S" availabilityStartTime="2026-11-23T10:00:00.250Z" publishTime="2026-11-23T10:00:02.5Z" minBufferTime="PT2.0S"><Period id="0" start="PT0.0S"><AdaptationSet id="0" contentType="video" segmentAlignment="true" bitstreamSwitching="true"><Representation id="0" mimeType="video/mp4" codecs="avc1.640028" bandwidth="6500000" width="1920" height="1080" frameRate="30/1"><SegmentTemplate timescale="1000000" duration="6006000" availabilityTimeOffset="5.9" availabilityTimeComplete="false" initialization="init-stream$RepresentationID$.m4s" media="chunk-stream$RepresentationID$-$Number%05d$.m4s" startNumber="1"/></Representation></AdaptationSet></Period></MPD>`,
			"https://cmafref.example/cmaf/live-ull/1/init-stream0.m4s https://cmafref.example/cmaf/live-ull/1/chunk-stream0-00100.m4s"},
		{"BBC: BaseURL dash/, times with %0nd never", "https://vod.example/x/av_pv14.ism/.mpd?token=a",
			ns + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9M56.48S" maxSegmentDuration="PT4S" minBufferTime="PT3.2S" profiles="urn:dvb:dash:profile:dvb-dash:2014"><BaseURL>dash/</BaseURL><Period id="1" duration="PT9M56.48S"><AdaptationSet group="2" contentType="video" par="16:9" minBandwidth="86000" segmentAlignment="true" startWithSAP="1"><SegmentTemplate timescale="200" presentationTimeOffset="0" initialization="x-$RepresentationID$.dash" media="x-$RepresentationID$-$Time%09d$.m4s" duration="768" startNumber="1"/><Representation id="v=86000" bandwidth="86000" width="192" height="108" frameRate="25/4" codecs="avc3.42C00B" scanType="progressive" mimeType="video/mp4"/></AdaptationSet></Period></MPD>`,
			"https://vod.example/x/av_pv14.ism/dash/x-v=86000.dash https://vod.example/x/av_pv14.ism/dash/x-v=86000-000000000.m4s"},
		{"Unified Streaming: periods by start, an offset, prefixed names", "https://u.example/live/l.isml/.mpd",
			ns + `<mpd:MPD xmlns:mpd="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-11-23T10:09:59Z" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT60S" maxSegmentDuration="PT3S" minBufferTime="PT10S"><mpd:Period id="1" start="PT0S"><mpd:BaseURL>dash/</mpd:BaseURL><mpd:AdaptationSet id="2" group="2" contentType="video" mimeType="video/mp4" codecs="avc1.42C01F"><mpd:SegmentTemplate timescale="600" presentationTimeOffset="0" initialization="l-$RepresentationID$.dash" media="l-$RepresentationID$-$Time$.dash"><mpd:SegmentTimeline><mpd:S t="1076850720000" d="1152" r="40"/></mpd:SegmentTimeline></mpd:SegmentTemplate><mpd:Representation id="video=1" bandwidth="1000" width="1280" height="720"/></mpd:AdaptationSet></mpd:Period></mpd:MPD>`,
			"https://u.example/live/l.isml/dash/l-video=1.dash https://u.example/live/l.isml/dash/l-video=1-1076850766080.dash"},
		{"DASH-IF on demand, SegmentBase, several BaseURLs with DVB priorities", "https://d.example/od/m.mpd",
			ns + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:dvb="urn:dvb:dash:dash-extensions:2014-1" mediaPresentationDuration="PT634.566S" minBufferTime="PT2.00S" profiles="urn:hbbtv:dash:profile:isoff-live:2012,urn:dvb:dash:profile:dvb-dash:2014"><BaseURL dvb:priority="2" dvb:weight="10" serviceLocation="B">https://b.example/od/</BaseURL><BaseURL dvb:priority="1" serviceLocation="A">https://a.example/od/</BaseURL><Period><AdaptationSet mimeType="video/mp4" segmentAlignment="true" subsegmentAlignment="true" subsegmentStartsWithSAP="1"><Representation id="bbb_30fps_320x180_200k" codecs="avc1.64000D" bandwidth="200000" width="320" height="180"><BaseURL>v_180.mp4</BaseURL><SegmentBase indexRange="862-2113"><Initialization range="0-861"/></SegmentBase></Representation></AdaptationSet></Period></MPD>`,
			"https://a.example/od/v_180.mp4 0-861 index=https://a.example/od/v_180.mp4 862-2113"},
		{"YouTube's manner: SegmentList, a set for each coding, trick mode, unknown prefixes", "https://m.example/api/manifest/dash/id/x",
			ns + `<MPD xmlns="urn:mpeg:DASH:schema:MPD:2011" xmlns:yt="http://youtube.com/yt/2012/10/10" type="static" mediaPresentationDuration="PT12.0S" minBufferTime="PT1.500S" profiles="urn:mpeg:dash:profile:isoff-main:2011" yt:segmentIngestTime="x"><Period><SegmentList duration="4" startNumber="0"><SegmentURL media="sq/0"/></SegmentList><AdaptationSet id="0" mimeType="audio/mp4" subsegmentAlignment="true"><Role schemeIdUri="urn:mpeg:DASH:role:2011" value="main"/><Representation id="140" codecs="mp4a.40.2" audioSamplingRate="44100" startWithSAP="1" bandwidth="144000"><AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/><BaseURL>https://r1.example/a/</BaseURL><SegmentList><Initialization sourceURL="init"/><SegmentURL media="sq/0/lmt/1"/></SegmentList></Representation></AdaptationSet><AdaptationSet id="1" mimeType="video/mp4"><Representation id="137" codecs="avc1.640028" width="1920" height="1080" startWithSAP="1" maxPlayoutRate="1" bandwidth="4000000" frameRate="30"><BaseURL yt:contentLength="100">https://r1.example/v/</BaseURL><SegmentList><Initialization sourceURL="init" range="0-99"/><SegmentURL media="sq/0/lmt/1"/><SegmentURL media="sq/1"/></SegmentList></Representation></AdaptationSet></Period></MPD>`,
			"https://r1.example/v/init 0-99 https://r1.example/v/sq/0/lmt/1"},
		{"Axinom: several DRM systems in the set", "https://media.example/MPD/Manifest_1080p.mpd",
			ns + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:cenc="urn:mpeg:cenc:2013" xmlns:mspr="urn:microsoft:playready" type="static" mediaPresentationDuration="PT0H12M14.167S"><Period duration="PT0H12M14.167S"><AdaptationSet segmentAlignment="true" group="1" maxWidth="1920" par="16:9" lang="und"><ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc" cenc:default_KID="9eb4050d-e44b-4802-932e-27d75083e266"/><ContentProtection value="MSPR 2.0" schemeIdUri="urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95"><cenc:pssh>AAAD</cenc:pssh><mspr:pro>7AMAAA==</mspr:pro></ContentProtection><ContentProtection schemeIdUri="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"><cenc:pssh>AAAA</cenc:pssh></ContentProtection><SegmentTemplate timescale="24" media="$RepresentationID$/$Number%04d$.m4s" startNumber="1" duration="96" initialization="$RepresentationID$/init.mp4"/><Representation id="1" mimeType="video/mp4" codecs="avc1.640015" width="512" height="288" frameRate="24" sar="1:1" startWithSAP="1" bandwidth="386437"/></AdaptationSet></Period></MPD>`,
			"https://media.example/MPD/1/init.mp4 https://media.example/MPD/1/0001.m4s"},
		{"Bitmovin: SegmentTemplate of the set, overridden by the representation", "https://c.example/mpds/1.mpd",
			ns + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" id="f0" type="static" mediaPresentationDuration="P0Y0M0DT0H3M30.000S" minBufferTime="P0Y0M0DT0H0M2.000S"><Period><AdaptationSet mimeType="video/mp4" codecs="avc1.42c00d"><SegmentTemplate media="../video/$RepresentationID$/dash/segment_$Number$.m4s" initialization="../video/$RepresentationID$/dash/init.mp4" duration="100000" startNumber="0" timescale="25000"/><Representation id="180_250000" bandwidth="250000" width="320" height="180" frameRate="25"><SegmentTemplate startNumber="3"/></Representation></AdaptationSet></Period></MPD>`,
			"https://c.example/video/180_250000/dash/init.mp4 https://c.example/video/180_250000/dash/segment_3.m4s"},
		{"Broadpeak and Yospace: a period without a start, an early one, event streams", "https://b.example/l.mpd",
			ns + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:scte35="urn:scte:scte35:2013:xml" type="static" mediaPresentationDuration="PT60S"><Period id="ad"  duration="PT10S"><EventStream schemeIdUri="urn:scte:scte35:2014:xml+bin" timescale="90000"><Event presentationTime="0" duration="900000" id="1"><scte35:Signal><scte35:Binary>/DA=</scte35:Binary></scte35:Signal></Event></EventStream><AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="ad"/><AdaptationSet contentType="video" mimeType="video/mp4"><InbandEventStream schemeIdUri="urn:mpeg:dash:event:2012" value="1"/><SegmentTemplate timescale="1" duration="5" media="ad/$Number$.m4s" initialization="ad/i.mp4"/><Representation id="1" bandwidth="1"/></AdaptationSet></Period><Period id="main"><AdaptationSet contentType="video" mimeType="video/mp4"><SegmentTemplate timescale="1" duration="5" media="m/$Number$.m4s"/><Representation id="1" bandwidth="1"/></AdaptationSet></Period></MPD>`,
			"https://b.example/ad/i.mp4 https://b.example/ad/1.m4s"},
		{"ExoPlayer's and Shaka's oldest: one file a representation, and no more", "https://o.example/x/m.mpd",
			ns + `<MPD mediaPresentationDuration="PT1H"><Period><AdaptationSet><Representation id="v" mimeType="video/mp4" bandwidth="1"><BaseURL>/abs/v.mp4?sig=a%2Bb&amp;c=d</BaseURL></Representation></AdaptationSet></Period></MPD>`,
			" https://o.example/abs/v.mp4?sig=a%2Bb&c=d"},
		{"protocol-relative BaseURL, blanks, a comment and CDATA", "https://o.example/x/m.mpd",
			ns + "<!-- made -->\n<MPD mediaPresentationDuration=' PT1H ' >\n<BaseURL>\n  <![CDATA[//cdn.example/y/]]>\n</BaseURL><Period start=''><AdaptationSet contentType='video'><SegmentTemplate media='$Number$' duration='4.0' timescale=''/><Representation id='v' bandwidth='1e6'/></AdaptationSet></Period></MPD>",
			" https://cdn.example/y/1"},
		{"MediaPackage: a presentationTimeOffset far from 0, the period with it", "https://mp.example/out/v1/x/index.mpd",
			ns + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="2026-11-23T10:00:00+00:00" publishTime="2026-11-23T10:09:00+00:00" minimumUpdatePeriod="PT5S" minBufferTime="PT30S" suggestedPresentationDelay="PT25S" timeShiftBufferDepth="PT5M" profiles="urn:mpeg:dash:profile:isoff-live:2011"><Period start="PT0S" id="1"><AdaptationSet mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" subsegmentAlignment="true" bitstreamSwitching="true"><SegmentTemplate timescale="30000" media="index_video_$RepresentationID$_0_$Number$.mp4?m=1" initialization="index_video_$RepresentationID$_0_init.mp4?m=1" startNumber="7" presentationTimeOffset="900000000"><SegmentTimeline><S t="900000000" d="180180" r="98"/></SegmentTimeline></SegmentTemplate><Representation id="1" width="1280" height="720" frameRate="30000/1001" bandwidth="2000000" codecs="avc1.64001f"/></AdaptationSet></Period></MPD>`,
			"https://mp.example/out/v1/x/index_video_1_0_init.mp4?m=1 https://mp.example/out/v1/x/index_video_1_0_105.mp4?m=1"},
		{"GPAC and Broadcom: durations in every unit, lower case type", "https://o.example/m.mpd",
			ns + `<MPD type="Static" mediaPresentationDuration="P1DT2H3M4.5S" minBufferTime="PT1.S"><Period duration="PT24H"><AdaptationSet contentType="Video"><SegmentTemplate media="$Number$" duration="4"/><Representation id="v" bandwidth="1"/></AdaptationSet></Period></MPD>`,
			" https://o.example/1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(tt.url, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			m.Prioritise()
			sets := m.PeriodAt(0).Main()
			if len(sets) == 0 {
				t.Fatal("no video")
			}
			r := &sets[0].Representations[0]
			where := func(ref Ref) string {
				if ref.ByteRange.IsWhole() {
					return ref.URL
				}
				return fmt.Sprintf("%s %d-%d", ref.URL, ref.ByteRange.Offset, ref.ByteRange.Offset+ref.ByteRange.Length-1)
			}
			got := ""
			if init, ok := r.Init(); ok {
				got = where(init)
			}
			if index, ok := r.Index(); ok {
				got += " index=" + where(index)
			} else {
				seg, err := r.First()
				if m.Dynamic {
					seg, err = r.LiveEdge(began.Add(10 * time.Minute))
				}
				if err != nil {
					t.Fatal(err)
				}
				got += " " + where(seg)
			}
			if got != tt.want {
				t.Errorf("%s\nwant\n%s\n%s", got, tt.want, strings.Join(m.Faults, "\n"))
			}
		})
	}
}
