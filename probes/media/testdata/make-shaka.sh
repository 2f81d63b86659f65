#!/bin/sh
# Makes the encrypted media of another packager, Shaka Packager 3.4.2, whose npm
# package brings its programs along: npm pack shaka-packager@3.4.2, unpacked; its
# bin/packager-linux-x64 is the first argument. The pictures and the sound are
# ffmpeg's (libx264, aac). Key and key ID are those of cenc.mp4.
set -eu
packager=$(realpath "$1")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=320x180:rate=25:duration=1" -f lavfi -i "sine=frequency=440:sample_rate=48000:duration=1" \
	-pix_fmt yuv420p -c:v libx264 -threads 1 -b:v 60k -bf 2 -g 25 -c:a aac -b:a 32k -fflags +bitexact -map_metadata -1 "$work/in.mp4"

keys="--enable_raw_key_encryption --keys label=:key_id=0123456789abcdef0123456789abcdef:key=00112233445566778899aabbccddeeff --iv 0123456789abcdef --clear_lead 0"
for scheme in cenc cens cbc1 cbcs; do
	"$packager" --quiet "in=$work/in.mp4,stream=video,init_segment=$work/i.mp4,segment_template=$work/\$Number\$.m4s" \
		--segment_duration 2 --protection_scheme $scheme $keys
	cat "$work/i.mp4" "$work/1.m4s" >shaka-$scheme.mp4
done
# SAMPLE-AES, as HLS has it: MPEG-TS and packed audio.
"$packager" --quiet "in=$work/in.mp4,stream=video,segment_template=$work/v\$Number\$.ts,playlist_name=v.m3u8" \
	"in=$work/in.mp4,stream=audio,segment_template=$work/a\$Number\$.ts,playlist_name=a.m3u8" \
	"in=$work/in.mp4,stream=audio,segment_template=$work/p\$Number\$.aac,playlist_name=p.m3u8" \
	--segment_duration 2 --protection_scheme cbcs $keys --hls_master_playlist_output "$work/m.m3u8"
cp "$work/v1.ts" shaka-sample-aes.ts
cp "$work/a1.ts" shaka-sample-aes-aac.ts
cp "$work/p1.aac" shaka-sample-aes.aac
cat "$work/v.m3u8" >&2
