package player

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/hls"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/firstframe/firstframe/probes/steering"
)

// steers are rules of a steering server at /steer that sends players from pathway b to
// a after half a second, and back after another, and of media at both.
func steers(t *testing.T) map[string]rule {
	t.Helper()
	rules := map[string]rule{
		"/steer": says(`{"VERSION":1,"TTL":0.5,"RELOAD-URI":"/again","PATHWAY-PRIORITY":["b","a"]}`),
		"/again": says(`{"VERSION":1,"TTL":0.5,"RELOAD-URI":"/last","PATHWAY-PRIORITY":["x","a"]}`),
		"/last":  says(`{"VERSION":1,"TTL":60,"PATHWAY-PRIORITY":["b"]}`),
	}
	for _, pathway := range []string{"a", "b", "c"} {
		for name, file := range map[string]string{"init": "v360/init.mp4", "v": "v360/0.m4s", "ainit": "a48/init.mp4", "s": "a48/0.m4s"} {
			rules["/"+pathway+"/"+name] = answer200(labFile(t, "/cmaf/"+file))
		}
	}
	return rules
}

// says is a steering manifest.
func says(body string) rule { return answer200([]byte(body)) }

// ways are the requests of a name and track in turn, as the first parts of their
// paths, each once where it follows itself.
func ways(r *Result, name run.StepName, track string) string {
	var all []string
	for _, s := range r.Steps {
		if u, err := url.Parse(s.URL); err == nil && s.Name == name && s.Track == track {
			way, _, _ := strings.Cut(u.Path[1:], "/")
			all = append(all, way)
		}
	}
	return strings.Join(slices.Compact(all), " ")
}

// numbers fails the test unless the segments of a track are asked for one after the
// other, each once.
func numbers(t *testing.T, r *Result, track string) {
	t.Helper()
	for i, n := range strings.Fields(got(r, run.StepSegment, track)) {
		if n != fmt.Sprint(i) {
			t.Errorf("%s: %s in place of %d: %s", track, n, i, names(r))
		}
	}
}

// steeredMaster are playlists of pathways a and b, and of c, a clone, with separate audio
// and n segments of such a length.
func steeredMaster(n int, length time.Duration) map[string]string {
	numbered := func(name string) func(int) string {
		return func(i int) string { return fmt.Sprintf("%s?/%d", name, i) }
	}
	manifests := map[string]string{}
	master := "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer\",PATHWAY-ID=\"b\"\n"
	for _, pathway := range []string{"a", "b", "c"} {
		if pathway != "c" {
			master += fmt.Sprintf("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g%[1]s\",NAME=\"n\",DEFAULT=YES,STABLE-RENDITION-ID=\"s\",URI=\"%[1]s/audio.m3u8\"\n"+
				"#EXT-X-STREAM-INF:BANDWIDTH=400000,PATHWAY-ID=\"%[1]s\",AUDIO=\"g%[1]s\",STABLE-VARIANT-ID=\"v\",CODECS=\"avc1.4d401e,mp4a.40.2\",CLOSED-CAPTIONS=NONE\n%[1]s/l.m3u8\n", pathway)
		}
		manifests["/"+pathway+"/l.m3u8"] = segmented(n, length, numbered("v"), map[int]string{0: "#EXT-X-MAP:URI=\"init\"\n"})
		manifests["/"+pathway+"/audio.m3u8"] = segmented(n, length, numbered("s"), map[int]string{0: "#EXT-X-MAP:URI=\"ainit\"\n"})
	}
	manifests["/m.m3u8"] = master
	return manifests
}

// A steering manifest that comes while it plays on is gone by, and asked for again
// with what is played and measured: of HLS with the pathway's own playlists and
// initialization segments, where the player asks for them.
func TestPlayOnSteersHLS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model       *Model
		lists, maps string
	}{
		{hlsjs, "b a", "b a"}, // what has come before is not asked for again
		{shaka, "b", "b"},
	} {
		t.Run(tt.model.Name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, steeredMaster(12, 3*tenth), steers(t))
			m := wanting(tt.model, 6*tenth)
			m.Meter, m.AudioAhead, m.VideoAhead = nil, nil, nil
			r := played(t, playOn(t, o, "/m.m3u8", m, 24*tenth), 24*tenth)
			if r.Played.Stalled > moment || r.Played.Switches != 0 || r.Pathway != "b" {
				t.Errorf("%+v of %s, want neither stall nor switch, and a start on b", *r.Played, r.Pathway)
			}
			for _, track := range []string{run.TrackVideo, run.TrackAudio} {
				numbers(t, r, track)
				if got := ways(r, run.StepSegment, track); got != "b a b" {
					t.Errorf("segments of %s from %s, want b, then a, then b", track, got)
				}
				if got := ways(r, run.StepPlaylist, track); got != tt.lists {
					t.Errorf("playlists of %s from %s, want %s", track, got, tt.lists)
				}
				if got := ways(r, run.StepInit, track); got != tt.maps {
					t.Errorf("initialization segments of %s from %s, want %s", track, got, tt.maps)
				}
			}
			asksAgain(t, o, "_HLS_pathway")
		})
	}
}

// What the first steering manifest prefers is gone over to when playback has started,
// clones too, and nowhere where it prefers nothing that is there.
func TestPlayOnSteersAtOnce(t *testing.T) {
	t.Parallel()
	const uris = `{"VERSION":1,"TTL":60,"PATHWAY-PRIORITY":["c","b"],"PATHWAY-CLONES":[{"ID":"c","BASE-ID":"a","URI-REPLACEMENT":{"PER-VARIANT-URIS":{"v":"/c/l.m3u8"},"PER-RENDITION-URIS":{"s":"/c/audio.m3u8"}}}]}`
	const prefersA = `{"VERSION":1,"TTL":60,"PATHWAY-PRIORITY":["a","b"]}`
	late := func(w http.ResponseWriter, r *http.Request, n int) bool {
		return hang(1)(w, r, n) || says(prefersA)(w, r, n)
	}
	for _, tt := range []struct {
		name  string
		steer rule
		want  string
	}{
		{"another", says(prefersA), "b a"},
		{"a clone", says(uris), "b c"},
		{"nothing that is there", says(`{"VERSION":1,"TTL":60,"PATHWAY-PRIORITY":["x"]}`), "b"},
		{"asked again where it came too late", late, "b a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rules := steers(t)
			rules["/steer"] = tt.steer
			r := played(t, playOn(t, newOrigin(t, steeredMaster(8, 3*tenth), rules), "/m.m3u8", wanting(hlsjs, 6*tenth), 24*tenth), 24*tenth)
			for _, track := range []string{run.TrackVideo, run.TrackAudio} {
				numbers(t, r, track)
				if got := ways(r, run.StepSegment, track); got != tt.want {
					t.Errorf("segments of %s from %s, want %s", track, got, tt.want)
				}
			}
		})
	}
}

// hls.js asks for the playlists of another pathway at once, though it has no room for
// their segments yet.
func TestPlayOnSteersEarly(t *testing.T) {
	t.Parallel()
	rules := steers(t)
	rules["/again"] = says(`{"VERSION":1,"TTL":60,"PATHWAY-PRIORITY":["a"]}`)
	o := newOrigin(t, steeredMaster(4, 2*time.Second), rules)
	played(t, playOn(t, o, "/m.m3u8", wanting(hlsjs, 2*time.Second), 25*tenth), 25*tenth)
	segment := o.find(t, "/a/v", 1).begin
	for _, name := range []string{"/a/l.m3u8", "/a/audio.m3u8"} {
		if before := segment.Sub(o.find(t, name, 1).begin); before < 7*tenth {
			t.Errorf("%s is asked for %v before a segment, want about 1.5 s", name, before)
		}
		if n := strings.Count(strings.Join(o.paths(), " "), name); n != 1 {
			t.Errorf("%s is asked for %d times", name, n)
		}
	}
}

// asksAgain fails the test unless the steering server was asked three times, each half a
// second after its answer, where that said, and with what is played.
func asksAgain(t *testing.T, o *origin, pathway string) {
	t.Helper()
	before := o.find(t, "/steer", 1)
	for _, tt := range []struct{ path, plays string }{{"/again", "b"}, {"/last", "a"}} {
		s := o.find(t, tt.path, 1)
		if after := s.begin.Sub(before.end); after < 4*tenth || after > 20*tenth {
			t.Errorf("%s after %v, want 0.5 s", tt.path, after)
		}
		q, _ := url.ParseQuery(s.query)
		if got := strings.Trim(q.Get(pathway), `"`); got != tt.plays || q.Get(strings.Replace(pathway, "pathway", "throughput", 1)) == "" {
			t.Errorf("%s with %s, want the pathway %s and a throughput", tt.path, s.query, tt.plays)
		}
		if n := strings.Count(strings.Join(o.paths(), " "), tt.path); n != 1 {
			t.Errorf("%s %d times, want once", tt.path, n)
		}
		before = s
	}
}

// Of DASH what is asked for next comes from the other service location; what
// initializes it has come.
func TestPlayOnSteersDASH(t *testing.T) {
	t.Parallel()
	mpd := `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT3.6S">` +
		`<ContentSteering defaultServiceLocation="b">/steer</ContentSteering><BaseURL serviceLocation="a">/a/</BaseURL><BaseURL serviceLocation="b">/b/</BaseURL><Period>`
	for _, kind := range []string{
		`contentType="video" mimeType="video/mp4"><SegmentTemplate timescale="10" duration="3" startNumber="0" initialization="init" media="v?/$Number$"/><Representation id="v" codecs="avc1.4d401e" bandwidth="300000"/>`,
		`contentType="audio" mimeType="audio/mp4"><SegmentTemplate timescale="10" duration="3" startNumber="0" initialization="ainit" media="s?/$Number$"/><Representation id="s" codecs="mp4a.40.2" bandwidth="50000"/>`,
	} {
		mpd += "<AdaptationSet " + kind + "</AdaptationSet>"
	}
	for _, model := range []*Model{dashjs, shaka} {
		t.Run(model.Name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, map[string]string{"/m.mpd": mpd + "</Period></MPD>"}, steers(t))
			m := wanting(model, 6*tenth)
			m.Meter, m.AudioAhead, m.VideoAhead = nil, nil, nil
			r := played(t, playOn(t, o, "/m.mpd", m, 24*tenth), 24*tenth)
			if r.Played.Stalled > moment || r.Pathway != "b" {
				t.Errorf("%+v of %s, want no stall, and a start on b", *r.Played, r.Pathway)
			}
			for _, track := range []string{run.TrackVideo, run.TrackAudio} {
				numbers(t, r, track)
				if got := ways(r, run.StepSegment, track); got != "b a b" {
					t.Errorf("segments of %s from %s, want b, then a, then b", track, got)
				}
				if got := ways(r, run.StepInit, track); got != "b" {
					t.Errorf("initialization segments of %s from %s, want b alone", track, got)
				}
			}
			if q := o.find(t, "/steer", 1).query; (q == "") != model.SteeringMute {
				t.Errorf("asked first with %q", q)
			}
			asksAgain(t, o, "_DASH_pathway")
		})
	}
}

// steeredTitle is a title with the renditions of the pathway b of a master, of which b
// has two, a three, and d one, none in the order of bandwidths.
func steeredTitle(t *testing.T, m *Model) *hlsTitle {
	t.Helper()
	master := "#EXTM3U\n"
	for _, v := range []struct {
		pathway, name string
		kbps          int
	}{{"b", "high", 3000}, {"b", "low", 300}, {"a", "high", 2900}, {"a", "top", 9000}, {"a", "low", 310}, {"d", "only", 500}} {
		master += fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,PATHWAY-ID=%q,CODECS=\"avc1.4d401e\",CLOSED-CAPTIONS=NONE\n%[2]s/%[3]s.m3u8\n", 1000*v.kbps, v.pathway, v.name)
	}
	list, err := hls.Parse("https://a.example/m.m3u8", []byte(master))
	if err != nil {
		t.Fatal(err)
	}
	h := &hlsTitle{session: &session{model: m, think: &Think{}}, p: &presentation{}, multi: list.Multivariant}
	h.pathway = "b"
	renditions, err := h.choosable(Moment{})
	if err != nil {
		t.Fatal(err)
	}
	h.ladder = &ladder{renditions: renditions, failed: make([]bool, len(renditions))}
	return h
}

// Each rendition goes on with the variant of the same rank, clones with the addresses
// of their own.
func TestOver(t *testing.T) {
	for _, tt := range []struct {
		id    string
		clone steering.Clone
		want  string
	}{
		{"a", steering.Clone{}, "https://a.example/a/high.m3u8 https://a.example/a/low.m3u8"},
		{"d", steering.Clone{}, "https://a.example/d/only.m3u8 https://a.example/d/only.m3u8"},
		{"c", steering.Clone{ID: "c", BaseID: "a", Host: "c.example"}, "https://c.example/a/high.m3u8 https://c.example/a/low.m3u8"},
		{"x", steering.Clone{}, ""},
	} {
		h := steeredTitle(t, hlsjs)
		var got []string
		if w := h.over(tt.id, tt.clone); w != nil {
			for i := range h.ladder.renditions {
				got = append(got, h.playlistURI(w, run.TrackVideo, i))
			}
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.id, got, tt.want)
		}
	}
}

// A live playlist goes over to another pathway as it is, and so does one on demand of a
// rendition that was left: with the initialization segment and key that it had.
func TestRebase(t *testing.T) {
	const live = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\",IV=0x0f1e2d3c4b5a69788796a5b4c3d2e1f0\n#EXT-X-MAP:URI=\"init\"\n#EXTINF:2,\n1\n#EXTINF:2,\nhttps://e.example/2\n"
	h := steeredTitle(t, shaka)
	has := func(rendition int, body string) (string, answer, *hls.Media) {
		uri := h.playlistURI(&h.way, run.TrackVideo, rendition)
		m, err := h.parse(uri, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return uri, answer{Exchange: &fetch.Exchange{}, body: []byte(body)}, m
	}
	uri, list, media := has(1, live)
	h.note(run.TrackVideo, uri, list, media, parts{})
	h.kept.keep(has(0, live+"#EXT-X-ENDLIST\n"))
	l, to := &h.videoList, h.over("a", steering.Clone{})
	h.rebase(run.TrackVideo, l, to)
	kept, _ := h.kept.at("https://a.example/a/high.m3u8")
	if kept.media == nil || l.uri != "https://a.example/a/low.m3u8" || l.way != to {
		t.Fatalf("the playlist is at %s, one kept: %v", l.uri, kept.media != nil)
	}
	for _, m := range []*hls.Media{l.media, kept.media} {
		s := m.Segments
		if s[0].URI != "https://a.example/a/1" || s[1].URI != "https://e.example/2" || s[0].Map.URI != "https://a.example/b/init" || s[0].Key.URI != "https://a.example/b/key" {
			t.Errorf("%s and %s, initialized by %s, decrypted by %s", s[0].URI, s[1].URI, s[0].Map.URI, s[0].Key.URI)
		}
	}
	l.media.Segments = append(l.media.Segments, hls.Segment{URI: "of a delta"}) // not in its body
	if h.rebase(run.TrackVideo, l, &h.way); len(l.media.Segments) != 3 || l.uri != uri {
		t.Errorf("%d segments at %s, want 3", len(l.media.Segments), l.uri)
	}
}

// A playlist that was asked for early is answered once, and only where it is the one.
func TestEarly(t *testing.T) {
	h := steeredTitle(t, hlsjs)
	came := &early{uri: "u", there: make(chan struct{}), err: errOver}
	h.turned.early = map[string]*early{run.TrackVideo: came}
	if e, err := h.takeEarly(t.Context(), run.TrackVideo, "v"); e != nil || err != nil {
		t.Errorf("%v, %v of another", e, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e, err := h.takeEarly(ctx, run.TrackVideo, "u"); e != nil || err != errGivenUp {
		t.Errorf("%v, %v before it came, want %v", e, err, errGivenUp)
	}
	close(came.there)
	if e, err := h.takeEarly(t.Context(), run.TrackVideo, "u"); e != came || err != errOver {
		t.Errorf("%v, %v, want what it came to", e, err)
	}
	if e, err := h.takeEarly(t.Context(), run.TrackVideo, "u"); e != nil || err != nil {
		t.Errorf("%v, %v the second time", e, err)
	}
}

// A representation is asked for at the service location that is preferred, where it is
// there, or a clone of one that is.
func TestPlaced(t *testing.T) {
	listed := dash.Representation{BaseURLs: []dash.BaseURL{{ServiceLocation: "a", URL: "https://a.example/v/"}, {ServiceLocation: "b", URL: "https://b.example/v/"}}}
	for _, tt := range []struct {
		site site
		want string
	}{
		{site{}, "https://a.example/v/ https://b.example/v/"},
		{site{location: "b"}, "https://b.example/v/ https://a.example/v/"},
		{site{location: "x"}, "https://a.example/v/ https://b.example/v/"},
		{site{"c", steering.Clone{ID: "c", BaseID: "b", Host: "c.example"}}, "https://c.example/v/ https://a.example/v/"},
		{site{"c", steering.Clone{ID: "c", BaseID: "x", Host: "c.example"}}, "https://a.example/v/ https://b.example/v/"},
	} {
		d := &dashTitle{on: onwards{site: tt.site}}
		var got []string
		for _, b := range d.placed(&listed).BaseURLs {
			got = append(got, b.URL)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.site, got, tt.want)
		}
	}
	if listed.BaseURLs[1].URL != "https://b.example/v/" || listed.BaseURLs[1].ServiceLocation != "b" {
		t.Errorf("the representation itself was changed: %+v", listed.BaseURLs)
	}
}

// A steering server is told the bandwidth by which the model goes: by segments, by its
// meter once that knows, else as it assumed it.
func TestKbps(t *testing.T) {
	meter := Meter{Enough: 1, HalfLives: []time.Duration{time.Hour}}
	measured, known := &averages{fast: time.Second, slow: time.Second, weight: 1}, meter.gauge(func(float64, Moment) {})
	measured.Sample(0, time.Second, 375_000)
	known.sample(250_000, time.Second, Moment{})
	for _, tt := range []struct {
		bandwidth Bandwidth
		gauge     *gauge
		want      float64
	}{{measured, known, 3000}, {nil, known, 2000}, {nil, meter.gauge(func(float64, Moment) {}), 1000}, {nil, nil, 1000}} {
		s := &session{ladder: &ladder{renditions: ladderOf(300), estimate: 1000}, gauge: tt.gauge}
		o := &playing{session: s, p: &presentation{}, bandwidth: tt.bandwidth, head: playhead{tracks: map[string]*holding{run.TrackVideo: {}}}}
		if got := o.kbps(); math.Abs(got-tt.want) > 1 {
			t.Errorf("%v kbit/s, want %v", got, tt.want)
		}
	}
}
