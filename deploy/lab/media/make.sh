#!/bin/sh
# Makes the lab's media, from generated pictures and tones alone, into the
# folder that it lies in. Needs ffmpeg 5 or later with libx264 and libx265,
# and openssl. The same ffmpeg yields the same bytes.
#
# One segment lasts 1.92 s: 48 frames at 25 Hz and 90 AAC frames of 1024
# samples at 48 kHz, so that pictures and sound are cut at the same instants
# and a stream made by repeating the five segments never drifts.
set -eu
cd "$(dirname "$0")"

segment=1.92
segments=5
exact="-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ff() { ffmpeg -nostdin -v error -y "$@"; }

# picture HEIGHT WIDTH KBPS PROFILE LEVEL: H.264, closed GOPs of one segment.
picture() {
	ff -f lavfi -i "testsrc2=size=${2}x$1:rate=25:duration=9.6" \
		-frames:v 240 -pix_fmt yuv420p -c:v libx264 -threads 1 -preset slower \
		-profile:v "$4" -level:v "$5" -bf 0 \
		-g 48 -keyint_min 48 -sc_threshold 0 -x264-params open-gop=0:rc-lookahead=48 \
		-b:v "$3k" -maxrate "$3k" -bufsize "$(($3 * 2))k" $exact "$work/v$1.mp4"
}

# The encoder's priming frame is kept as the first one and the times are set
# anew, so that sound begins at 0 with pictures.
sound() {
	ff -f lavfi -i "sine=frequency=440:beep_factor=4:sample_rate=48000:duration=9.7" \
		-ac 2 -c:a aac -b:a 48k -frames:a 450 $exact "$work/a.raw.mp4"
	ff -i "$work/a.raw.mp4" -c copy -frames:a 450 \
		-bsf:a 'setts=pts=N*1024:dts=N*1024:duration=1024' $exact "$work/a.mp4"
}

# hls FOLDER OPTIONS…: one media playlist and its segments; the inputs are
# among the options.
hls() {
	folder=$1
	shift
	mkdir -p "$folder"
	ff "$@" -c copy $exact -f hls -hls_time $segment -hls_playlist_type vod \
		-hls_flags +independent_segments "$folder/index.m3u8"
}

# peak FOLDER… and average FOLDER…: bit/s of the renditions played together:
# the largest segment, all segments, of each.
peak() { rate max "$@"; }
average() { rate mean "$@"; }
rate() {
	how=$1
	shift
	for folder; do
		find "$folder" -name '[0-9]*.*' -printf '%h %s\n'
	done | awk -v how="$how" -v d=$segment -v n=$segments '
		{ if ($2 > max[$1]) max[$1] = $2; sum[$1] += $2 }
		END {
			for (f in max) bytes += how == "max" ? max[f] : sum[f] / n
			r = bytes * 8 / d
			printf "%d\n", r == int(r) ? r : int(r) + 1
		}'
}

# variant FOLDER CODECS RESOLUTION EXTRA RENDITION…: one entry of a master
# playlist, its rates summed over the renditions.
variant() {
	uri=$1 codecs=$2 resolution=$3 extra=$4
	shift 4
	printf '#EXT-X-STREAM-INF:BANDWIDTH=%s,AVERAGE-BANDWIDTH=%s,RESOLUTION=%s,FRAME-RATE=25.000,CODECS="%s",CLOSED-CAPTIONS=NONE%s\n%s/index.m3u8\n' \
		"$(peak "$@")" "$(average "$@")" "$resolution" "$codecs" "$extra" "$uri"
}

h240=avc1.4d400d h360=avc1.4d401e h720=avc1.64001f aac=mp4a.40.2

rm -rf ts aes cmaf range hevc
picture 240 426 80 main 1.3
picture 360 640 180 main 3.0
picture 720 1280 400 high 3.1
sound

# ts: pictures and sound together in MPEG-TS.
for h in 360 720; do
	hls "ts/${h}p" -i "$work/v$h.mp4" -i "$work/a.mp4" -map 0:v -map 1:a \
		-hls_segment_filename "ts/${h}p/%d.ts"
done
{
	printf '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n'
	variant 360p "$h360,$aac" 640x360 "" ts/360p
	variant 720p "$h720,$aac" 1280x720 "" ts/720p
} >ts/master.m3u8

# aes: the same, every segment encrypted whole with AES-128-CBC. 240p names no
# IV (it is the media sequence number), 360p names one.
key=00112233445566778899aabbccddeeff
iv=0f1e2d3c4b5a69788796a5b4c3d2e1f0
mkdir -p aes/240p aes/360p
printf '%s' $key | xxd -r -p >aes/key.bin
hls "$work/240p" -i "$work/v240.mp4" -i "$work/a.mp4" -map 0:v -map 1:a \
	-hls_segment_filename "$work/240p/%d.ts"
cp -r ts/360p "$work/360p"
for h in 240 360; do
	i=0
	while [ $i -lt $segments ]; do
		use=$iv
		[ $h = 360 ] || use=$(printf '%032x' $i)
		openssl enc -aes-128-cbc -K $key -iv "$use" -in "$work/${h}p/$i.ts" -out "aes/${h}p/$i.ts"
		i=$((i + 1))
	done
done
tag='#EXT-X-KEY:METHOD=AES-128,URI="../key.bin"'
sed "/^#EXT-X-MEDIA-SEQUENCE/a $tag" "$work/240p/index.m3u8" >aes/240p/index.m3u8
sed "/^#EXT-X-MEDIA-SEQUENCE/a $tag,IV=0x$iv" "$work/360p/index.m3u8" >aes/360p/index.m3u8
{
	printf '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n'
	variant 240p "$h240,$aac" 426x240 "" aes/240p
	variant 360p "$h360,$aac" 640x360 "" aes/360p
} >aes/master.m3u8

# cmaf: fragmented MP4, sound apart; the same files for HLS and DASH.
fmp4="-hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4"
for h in 360 720; do
	hls "cmaf/v$h" -i "$work/v$h.mp4" $fmp4 -hls_segment_filename "cmaf/v$h/%d.m4s"
done
hls cmaf/a48 -i "$work/a.mp4" $fmp4 -hls_segment_filename 'cmaf/a48/%d.m4s'
group='#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="tone",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a48/index.m3u8"'
{
	printf '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n%s\n' "$group"
	variant v360 "$h360,$aac" 640x360 ',AUDIO="aac"' cmaf/v360 cmaf/a48
	variant v720 "$h720,$aac" 1280x720 ',AUDIO="aac"' cmaf/v720 cmaf/a48
} >cmaf/master.m3u8

# template ADDRESSING TIMESCALE LENGTH: a SegmentTemplate; LENGTH is that of
# one segment in units of the timescale.
template() {
	open="<SegmentTemplate timescale=\"$2\" initialization=\"\$RepresentationID\$/init.mp4\" media=\"\$RepresentationID\$/\$Number\$.m4s\" startNumber=\"0\""
	if [ "$1" = number ]; then
		printf '      %s duration="%s"/>\n' "$open" "$3"
	else
		printf '      %s>\n        <SegmentTimeline>\n          <S t="0" d="%s" r="%s"/>\n        </SegmentTimeline>\n      </SegmentTemplate>\n' \
			"$open" "$3" $((segments - 1))
	fi
}
mpd() {
	cat <<XML
<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT9.6S" minBufferTime="PT1.92S">
  <Period id="p0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" frameRate="25" maxWidth="1280" maxHeight="720">
$(template "$1" 12800 24576)
      <Representation id="v360" codecs="$h360" bandwidth="$(peak cmaf/v360)" width="640" height="360"/>
      <Representation id="v720" codecs="$h720" bandwidth="$(peak cmaf/v720)" width="1280" height="720"/>
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="und" segmentAlignment="true" startWithSAP="1">
$(template "$1" 48000 92160)
      <Representation id="a48" codecs="$aac" bandwidth="$(peak cmaf/a48)" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
XML
}
mpd number >cmaf/manifest-number.mpd
mpd timeline >cmaf/manifest-timeline.mpd

# range: fragmented MP4, each rendition in one file, cut by byte ranges.
hls range/v360 -i "$work/v360.mp4" -hls_segment_type fmp4 -hls_flags +single_file \
	-hls_segment_filename range/v360/media.mp4
hls range/a48 -i "$work/a.mp4" -hls_segment_type fmp4 -hls_flags +single_file \
	-hls_segment_filename range/a48/media.mp4
{
	printf '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n%s\n' "$group"
	variant v360 "$h360,$aac" 640x360 ',AUDIO="aac"' cmaf/v360 cmaf/a48
} >range/master.m3u8

# hevc: one segment in either container, for tests of media detection.
ff -f lavfi -i "testsrc2=size=640x360:rate=25:duration=1.92" -pix_fmt yuv420p \
	-c:v libx265 -preset medium -b:v 160k -tag:v hvc1 \
	-x265-params "pools=none:frame-threads=1:keyint=48:min-keyint=48:open-gop=0:bframes=0:log-level=error" \
	$exact "$work/hevc.mp4"
hls "$work/hevc-ts" -i "$work/hevc.mp4" -hls_segment_filename "$work/hevc-ts/%d.ts"
hls "$work/hevc-fmp4" -i "$work/hevc.mp4" -tag:v hvc1 $fmp4 -hls_segment_filename "$work/hevc-fmp4/%d.m4s"
mkdir -p hevc
cp "$work/hevc-ts/0.ts" hevc/0.ts
cp "$work/hevc-fmp4/0.m4s" hevc/0.m4s
cp "$work/hevc-fmp4/init.mp4" hevc/init.mp4
