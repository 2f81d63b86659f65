#!/bin/sh
# Makes the media that the lab has no use for, with ffmpeg (libx264).
set -eu
cd "$(dirname "$0")"
exact="-fflags +bitexact -flags:v +bitexact -map_metadata -1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# opengop.ts: a segment that begins with an I picture that is no IDR and has a
# recovery point SEI, with B-frames.
ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=320x180:rate=25:duration=2" \
	-pix_fmt yuv420p -c:v libx264 -threads 1 -b:v 60k -bf 2 -g 25 -keyint_min 25 -sc_threshold 0 \
	-x264-params open-gop=1 -bsf:v dump_extra=freq=keyframe $exact -f hls -hls_time 0.9 -hls_segment_filename "$work/%d.ts" "$work/index.m3u8"
cp "$work/1.ts" opengop.ts

# cenc.mp4: fragmented, self-initialising, under Common Encryption.
ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=320x180:rate=25:duration=1" \
	-pix_fmt yuv420p -c:v libx264 -threads 1 -b:v 60k -bf 2 -g 25 \
	-movflags +frag_keyframe+empty_moov+default_base_moof -encryption_scheme cenc-aes-ctr \
	-encryption_key 00112233445566778899aabbccddeeff -encryption_kid 0123456789abcdef0123456789abcdef \
	$exact cenc.mp4

# tone.*: 0.25 s of sound as packed audio of each kind, and as MPEG-TS.
tone="ffmpeg -nostdin -v error -y -f lavfi -i sine=frequency=440:sample_rate=48000:duration=0.25 -ac 2"
$tone -c:a aac -b:a 48k $exact -f adts tone.aac
$tone -c:a aac -b:a 48k $exact -f latm tone.latm
$tone -c:a libmp3lame -b:a 48k -write_xing 0 $exact -f mp3 -id3v2_version 0 tone.mp3
$tone -c:a ac3 -b:a 64k $exact -f ac3 tone.ac3
$tone -c:a eac3 -b:a 64k $exact -f eac3 tone.ec3
for c in aac ac3 eac3; do
	$tone -c:a $c -b:a 64k $exact -f mpegts tone-$c.ts
done
