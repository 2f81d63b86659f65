package player

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// By DVB's priorities, in a profile of DVB's, and by models that go by them.
func TestPriorities(t *testing.T) {
	const mpd = `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:dvb="urn:dvb:dash:dash-extensions:2014-1" type="static" mediaPresentationDuration="PT60S" profiles="urn:mpeg:dash:profile:isoff-live:2011,PROFILE">
		<BaseURL dvb:priority="3">/v/a/</BaseURL><BaseURL dvb:priority="2" dvb:weight="5">/v/b/</BaseURL><BaseURL>/v/c/</BaseURL><Period><AdaptationSet contentType="video" mimeType="video/mp4">
		<SegmentTemplate timescale="12800" initialization="/cmaf/v360/init.mp4" media="$Number$" duration="24576"/><Representation id="v" codecs="avc1.4d401e" bandwidth="203175"/></AdaptationSet></Period></MPD>`
	for _, tt := range []struct {
		model         *Model
		profile, want string
	}{
		{dashjs, "urn:dvb:dash:profile:dvb-dash:2014", "v/c/1"},
		{exoplayer, "urn:dvb:dash:profile:dvb-dash:isoff-ext-live:2014", "v/c/1"},
		{shaka, "urn:dvb:dash:profile:dvb-dash:2014", "v/a/1"},
		{dashjs, "urn:example:profile", "v/a/1"},
	} {
		r := good(t, press(t, dashOrigin(t, strings.Replace(mpd, "PROFILE", tt.profile, 1), nil), "/m.mpd", calm(tt.model), run.App{}))
		if video, _ := asked(r); video != tt.want {
			t.Errorf("%s, %s: %s, want %s", tt.model, tt.profile, video, tt.want)
		}
	}
}

// Of a segment at several base URLs a player asks the others too: with each try
// the next, when one has failed for good, or never.
func TestLocations(t *testing.T) {
	mpd := `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT60S">
		<BaseURL>/v/a/</BaseURL><BaseURL>/v/b/</BaseURL><BaseURL>/v/a/</BaseURL><BaseURL>/v/c/</BaseURL><Period><AdaptationSet contentType="video" mimeType="video/mp4">
		<SegmentTemplate timescale="12800" initialization="/cmaf/v360/init.mp4" media="$Number$" duration="24576"/><Representation id="v" codecs="avc1.4d401e" bandwidth="203175"/></AdaptationSet></Period></MPD>`
	for _, tt := range []struct {
		name  string
		model *Model
		down  string // places that do not answer
		want  string
		typ   run.ErrorType
	}{
		{"all are up", dashjs, "", "a", ""},
		{"dash.js, the first is down", dashjs, "a", "a a a a b", ""},
		{"dash.js, two are down", dashjs, "a b", "a a a a b b b b c", ""},
		{"dash.js, all are down", dashjs, "a b c", "a a a a b b b b c c c c", run.ErrHTTP5xx},
		{"Shaka, the first is down", shaka, "a", "a b", ""},
		{"ideal stays", ideal, "a", "a", run.ErrHTTP5xx},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := dashOrigin(t, mpd, nil)
			inner := o.Config.Handler
			o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if place := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v/"), "/1"); len(place) == 1 && strings.Contains(tt.down, place) {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				inner.ServeHTTP(w, r)
			})
			r := press(t, o, "/m.mpd", quick(tt.model), run.App{})
			if tt.typ != "" {
				bad(t, r, tt.typ, run.StepSegment)
			} else {
				good(t, r)
			}
			var places []string
			for _, s := range r.Steps {
				if s.Name == run.StepSegment {
					places = append(places, strings.TrimSuffix(strings.TrimPrefix(s.URL, fmt.Sprint(o.URL, "/v/")), "/1"))
				}
			}
			if d := cmp.Diff(tt.want, strings.Join(places, " ")); d != "" {
				t.Errorf("places (-want +got):\n%s", d)
			}
		})
	}
}
