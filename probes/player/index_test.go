package player

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// onDemand is one file of the lab's segments with an index before them, as
// DASH's on-demand profile has it: init, sidx, segments.
func onDemand(t testing.TB, dir string, timescale, duration uint32) (file []byte, init, index int) {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(fmt.Sprint(lab, "/cmaf/", dir, "/", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	head := read("init.mp4")
	var refs, media []byte
	for i := range 5 {
		seg := read(fmt.Sprint(i, ".m4s"))
		media = append(media, seg...)
		refs = binary.BigEndian.AppendUint32(refs, uint32(len(seg)))
		refs = binary.BigEndian.AppendUint32(refs, duration)
		refs = binary.BigEndian.AppendUint32(refs, 0x90000000)
	}
	sidx := binary.BigEndian.AppendUint32(nil, uint32(32+len(refs)))
	sidx = append(sidx, "sidx"...)
	for _, v := range []uint32{0, 1, timescale, 0, 0, 5} {
		sidx = binary.BigEndian.AppendUint32(sidx, v)
	}
	sidx = append(sidx, refs...)
	return append(append(head[:len(head):len(head)], sidx...), media...), len(head), len(sidx)
}

// ranges serves a file, by ranges too.
func ranges(file []byte) rule {
	return func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.ServeContent(w, r, "x.mp4", time.Time{}, bytes.NewReader(file))
		return true
	}
}

// indexedMPD is an MPD of three such files: two of video, one of audio.
func indexedMPD(t testing.TB) (mpd string, rules map[string]rule, at map[string][2]int) {
	t.Helper()
	rules, at = map[string]rule{}, map[string][2]int{}
	rep := func(id, attrs string, timescale, duration uint32) string {
		file, init, index := onDemand(t, id, timescale, duration)
		rules["/"+id+".mp4"], at[id] = ranges(file), [2]int{init, index}
		return fmt.Sprintf(`<Representation id=%q %s><BaseURL>%s.mp4</BaseURL><SegmentBase indexRange="%d-%d"><Initialization range="0-%d"/></SegmentBase></Representation>`,
			id, attrs, id, init, init+index-1, init-1)
	}
	return `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9.6S" minBufferTime="PT1.92S"><Period>` +
		`<AdaptationSet contentType="video" mimeType="video/mp4">` +
		rep("v360", `codecs="avc1.4d401e" bandwidth="203175" width="640" height="360"`, 12800, 24576) +
		rep("v720", `codecs="avc1.64001f" bandwidth="465642" width="1280" height="720"`, 12800, 24576) +
		`</AdaptationSet><AdaptationSet contentType="audio" mimeType="audio/mp4">` +
		rep("a48", `codecs="mp4a.40.2" bandwidth="50684"`, 48000, 92160) +
		`</AdaptationSet></Period></MPD>`, rules, at
}

// Segments that stand in an index: each player's way to the first one.
func TestIndexed(t *testing.T) {
	mpd, rules, at := indexedMPD(t)
	rng := func(from, length int) string { return fmt.Sprintf("bytes=%d-%d", from, from+length-1) }
	init, index := at["v720"][0], at["v720"][1]
	segment, err := os.Stat(lab + "/cmaf/v720/0.m4s")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		model  *Model
		want   string
		ranges []string // of v720.mp4
	}{
		{dashjs, "M XV<M XV2<M XA<M VI<XV AI<XA VS<VI AS<AI picture<VS", []string{rng(init, index), rng(0, init)}},
		{shaka, "M XV<M XA<M VI<XV AI<XV VS<VI AS<AI picture<VS", []string{rng(init, index), rng(0, init)}},
		{exoplayer, "M XV<M XA<M VS<XV AS<XA picture<VS", []string{rng(0, init+index)}},
		{ideal, "M XV<M XA<M VI<XV VS<XV AI<XA AS<XA picture<VS", []string{rng(init, index), rng(0, init)}},
	} {
		t.Run(tt.model.String(), func(t *testing.T) {
			t.Parallel()
			mine := map[string]rule{}
			for path, r := range rules {
				mine[path] = r
			}
			mine["/v720.mp4"] = func(w http.ResponseWriter, r *http.Request, n int) bool {
				time.Sleep(40 * time.Millisecond)
				if strings.HasPrefix(r.Header.Get("Range"), fmt.Sprintf("bytes=%d-", init+index)) {
					time.Sleep(40 * time.Millisecond) // the picture waits for it
				}
				return rules["/v720.mp4"](w, r, n)
			}
			o := newOrigin(t, map[string]string{"/m.mpd": mpd}, mine)
			m := untimed(tt.model)
			m.AudioAhead = nil // a race with the video; see TestGraph
			got, r := graph(t, o, "/m.mpd", m, run.App{Set: map[string]float64{"start_kbps": 2000}})
			good(t, r)
			// Which of two indexes of a track comes first in the log is open.
			text := strings.ReplaceAll(strings.Join(sorted(got), " "), "<XV2", "<XV")
			if diff := cmp.Diff(strings.Join(sorted(strings.Fields(tt.want)), " "), text); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			var asked []string
			o.mu.Lock()
			defer o.mu.Unlock()
			for _, s := range o.log {
				if s.path == "/v720.mp4" {
					asked = append(asked, s.rng)
				}
			}
			want := append(tt.ranges, rng(init+index, int(segment.Size())))
			if diff := cmp.Diff(sorted(want), sorted(asked)); diff != "" {
				t.Errorf("ranges of the video (-want +got):\n%s", diff)
			}
			if r.Height != 720 {
				t.Errorf("%d lines, want 720", r.Height)
			}
		})
	}
}

// What can be wrong with an index.
func TestIndexFails(t *testing.T) {
	mpd, rules, at := indexedMPD(t)
	v360 := fmt.Sprintf(`indexRange="%d-`, at["v360"][0])
	cut := strings.Index(mpd, v360) + len(v360)
	huge := mpd[:cut] + "99999999" + mpd[cut+strings.Index(mpd[cut:], `"`):]
	garbage := func(w http.ResponseWriter, r *http.Request, _ int) bool {
		w.Header().Set("Content-Range", "bytes 830-953/99999")
		w.WriteHeader(http.StatusPartialContent)
		w.Write(make([]byte, at["v360"][1]))
		return true
	}
	for _, tt := range []struct {
		name  string
		model *Model
		mpd   string
		rule  rule
		tries int
		typ   run.ErrorType
		step  run.StepName
	}{
		{"404", dashjs, mpd, status(404, 9), 4, run.ErrHTTP4xx, run.StepIndex},
		{"404", ideal, mpd, status(404, 9), 1, run.ErrHTTP4xx, run.StepIndex},
		{"garbage", ideal, mpd, garbage, 1, run.ErrManifestInvalid, run.StepIndex},
		{"an index of 100 MB", ideal, huge, nil, 0, run.ErrTooLarge, run.StepManifest},
	} {
		t.Run(tt.model.String()+", "+tt.name, func(t *testing.T) {
			mine := map[string]rule{"/v720.mp4": rules["/v720.mp4"], "/a48.mp4": rules["/a48.mp4"], "/v360.mp4": tt.rule}
			o := newOrigin(t, map[string]string{"/m.mpd": tt.mpd}, mine)
			r := bad(t, press(t, o, "/m.mpd", quick(tt.model), run.App{Set: map[string]float64{"start_kbps": 10}}), tt.typ, tt.step)
			tries := 0
			for _, p := range o.paths() {
				if p == "/v360.mp4" {
					tries++
				}
			}
			if tries != tt.tries {
				t.Errorf("%d tries, want %d: %s", tries, tt.tries, names(r))
			}
		})
	}
}
