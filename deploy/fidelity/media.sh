#!/bin/sh
# Makes the media that players are compared with into the folder that is named:
# three renditions of real length and rate, packaged as hls.js, Shaka and dash.js
# play them. Needs ffmpeg with libx264, and xxd. Takes about a minute.
#
# Twelve seconds, or as many as asked for, of generated pictures with noise, so
# that the encoder needs the rate; a keyframe each 2 s; TS in segments of 6 s,
# fragmented MP4 of 4 s.
set -eu
[ $# = 1 ] || [ $# = 2 ] || { echo "usage: media.sh FOLDER [SECONDS]" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
[ ! -f complete ] || exit 0

seconds=${2:-12}
exact="-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ff() { ffmpeg -nostdin -v error -y "$@"; }

# picture HEIGHT WIDTH KBPS PROFILE LEVEL
picture() {
	ff -f lavfi -i "testsrc2=size=${2}x$1:rate=25:duration=$seconds" -vf "noise=alls=12:allf=t:all_seed=7" \
		-pix_fmt yuv420p -c:v libx264 -threads 2 -preset superfast -profile:v "$4" -level:v "$5" -bf 0 \
		-g 50 -keyint_min 50 -sc_threshold 0 -x264-params open-gop=0:nal-hrd=cbr:filler=1 \
		-b:v "$3k" -minrate "$3k" -maxrate "$3k" -bufsize "$3k" $exact "$work/v$1.mp4"
}

# hls FOLDER SECONDS OPTIONS…: one media playlist and its segments.
hls() {
	folder=$1 length=$2
	shift 2
	mkdir -p "$folder"
	ff "$@" -c copy $exact -f hls -hls_time "$length" -hls_playlist_type vod \
		-hls_flags +independent_segments "$folder/index.m3u8"
}

# peak SECONDS FOLDER…: bit/s of the largest segment, summed over the folders.
peak() {
	length=$1
	shift
	for folder; do find "$folder" -name '[0-9]*.*' -printf '%h %s\n'; done |
		awk -v d="$length" '{ if ($2 > max[$1]) max[$1] = $2 } END { for (f in max) n += max[f]; printf "%d\n", n * 8 / d + 1 }'
}

heights="360 720 1080"
h360=avc1.4d401e h720=avc1.64001f h1080=avc1.640028 aac=mp4a.40.2
w360=640 w720=1280 w1080=1920
picture 360 $w360 700 main 3.0
picture 720 $w720 2100 high 3.1
picture 1080 $w1080 4600 high 4.0
ff -f lavfi -i "sine=frequency=440:beep_factor=4:sample_rate=48000:duration=$seconds" \
	-ac 2 -c:a aac -b:a 128k $exact "$work/a.mp4"

fmp4="-hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4"
rm -rf ts aes cmaf range
mkdir -p aes
printf '%s' 00112233445566778899aabbccddeeff | xxd -r -p >aes/key.bin
printf '../key.bin\n%s\n0f1e2d3c4b5a69788796a5b4c3d2e1f0\n' "$(pwd)/aes/key.bin" >"$work/key"
for h in $heights; do
	both="-i $work/v$h.mp4 -i $work/a.mp4 -map 0:v -map 1:a"
	hls "ts/v$h" 6 $both -hls_segment_filename "ts/v$h/%d.ts"
	hls "aes/v$h" 6 $both -hls_key_info_file "$work/key" -hls_segment_filename "aes/v$h/%d.ts"
	hls "cmaf/v$h" 4 -i "$work/v$h.mp4" $fmp4 -hls_segment_filename "cmaf/v$h/%d.m4s"
	hls "range/v$h" 4 -i "$work/v$h.mp4" -hls_segment_type fmp4 -hls_flags +single_file -hls_segment_filename "range/v$h/media.mp4"
done
hls cmaf/audio 4 -i "$work/a.mp4" $fmp4 -hls_segment_filename "cmaf/audio/%d.m4s"
hls range/audio 4 -i "$work/a.mp4" -hls_segment_type fmp4 -hls_flags +single_file -hls_segment_filename range/audio/media.mp4

# master FOLDER SECONDS MEASURED [AUDIO]: the rates are those of MEASURED's segments.
master() {
	printf '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n'
	group=
	if [ $# = 4 ]; then
		group=',AUDIO="aac"'
		printf '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="tone",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"\n'
	fi
	for h in $heights; do
		eval "codec=\$h$h width=\$w$h"
		printf '#EXT-X-STREAM-INF:BANDWIDTH=%s,RESOLUTION=%sx%s,FRAME-RATE=25.000,CODECS="%s,%s",CLOSED-CAPTIONS=NONE%s\nv%s/index.m3u8\n' \
			"$(peak "$2" "$3/v$h" ${4:+"$3/$4"})" "$width" "$h" "$codec" "$aac" "$group" "$h"
	done
}
master ts 6 ts >ts/master.m3u8
master aes 6 ts >aes/master.m3u8
master cmaf 4 cmaf audio >cmaf/master.m3u8
master range 4 cmaf audio >range/master.m3u8

# template number|timeline
template() {
	open='<SegmentTemplate timescale="1000" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s" startNumber="0"'
	if [ "$1" = number ]; then
		echo "      $open duration=\"4000\"/>"
	else
		echo "      $open><SegmentTimeline><S t=\"0\" d=\"4000\" r=\"$((seconds / 4 - 1))\"/></SegmentTimeline></SegmentTemplate>"
	fi
}
mpd() {
	cat <<XML
<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT${seconds}S" minBufferTime="PT2S">
  <Period id="p0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" frameRate="25">
$(template "$1")
$(for h in $heights; do
	eval "codec=\$h$h width=\$w$h"
	printf '      <Representation id="v%s" codecs="%s" bandwidth="%s" width="%s" height="%s"/>\n' "$h" "$codec" "$(peak 4 "cmaf/v$h")" "$width" "$h"
done)
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
$(template "$1")
      <Representation id="audio" codecs="$aac" bandwidth="$(peak 4 cmaf/audio)" audioSamplingRate="48000"/>
    </AdaptationSet>
  </Period>
</MPD>
XML
}
mpd number >cmaf/number.mpd
mpd timeline >cmaf/timeline.mpd
touch complete
