package service

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/origin"
	"github.com/firstframe/firstframe/probes/dash"
	"github.com/firstframe/firstframe/probes/hls"
)

const base = "https://play.lab.example:1"

func newService(t *testing.T) *Service {
	t.Helper()
	o, err := origin.New(os.DirFS("../media"))
	if err != nil {
		t.Fatal(err)
	}
	return New(o, base, []Pathway{{"a", "https://a.lab.example:1"}, {"b", "https://b.lab.example:1"}})
}

func ask(method, path, key, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return r
}

const goodBody = `{"asset": "/vod/cmaf/master.m3u8"}`

func TestPlaybackAPI(t *testing.T) {
	s := newService(t)
	for _, tc := range []struct {
		name, method, key, body string
		want                    int
	}{
		{"good", "POST", ViewerKey, goodBody, 0},
		{"no question", "GET", ViewerKey, "", http.StatusMethodNotAllowed},
		{"no key", "POST", "", goodBody, http.StatusUnauthorized},
		{"another key", "POST", "x", goodBody, http.StatusUnauthorized},
		{"no JSON", "POST", ViewerKey, "asset=x", http.StatusBadRequest},
		{"no such asset", "POST", ViewerKey, `{"asset": "/vod/none.m3u8"}`, http.StatusNotFound},
		{"no manifest", "POST", ViewerKey, `{"asset": "/vod/cmaf/v360/init.mp4"}`, http.StatusNotFound},
	} {
		got := s.Reply(ask(tc.method, APIPath, tc.key, tc.body), time.Now())
		if got.Status != tc.want || (got.Own != nil) != (tc.want == 0) {
			t.Errorf("%s: %+v, want %d", tc.name, got, tc.want)
		}
	}
}

// What the API hands out opens the stream, for ten minutes; nothing else does.
func TestSigned(t *testing.T) {
	s, now := newService(t), time.Now()
	var got struct {
		Session struct{ ID string }
		Streams []struct{ URL, Token string }
	}
	if err := json.Unmarshal(s.Reply(ask("POST", APIPath, ViewerKey, goodBody), now).Own.Body, &got); err != nil {
		t.Fatal(err)
	}
	const manifest = "/signed/vod/cmaf/master.m3u8"
	if len(got.Streams) != 1 || got.Streams[0].URL != base+manifest {
		t.Fatalf("%+v", got)
	}
	token, session := got.Streams[0].Token, got.Session.ID
	other := newService(t)
	for _, tc := range []struct {
		name, path, token, session string
		at                         time.Time
		by                         *Service
		want                       string
	}{
		{"manifest", manifest, token, session, now, s, "/vod/cmaf/master.m3u8"},
		{"segment", "/signed/vod/cmaf/v360/0.m4s", "", session, now, s, "/vod/cmaf/v360/0.m4s"},
		{"playlist", "/signed/vod/cmaf/v360/index.m3u8", "", session, now, s, "/vod/cmaf/v360/index.m3u8"},
		{"manifest without token", manifest, "", session, now, s, ""},
		{"manifest without session", manifest, token, "", now, s, ""},
		{"session for token", manifest, session, session, now, s, ""},
		{"token for session", manifest, token, token, now, s, ""},
		{"a token that was changed", manifest, "9" + token, session, now, s, ""},
		{"too late", manifest, token, session, now.Add(11 * time.Minute), s, ""},
		{"segment without session", "/signed/vod/cmaf/v360/0.m4s", token, "", now, s, ""},
		{"another lab", manifest, token, session, now, other, ""},
	} {
		r := httptest.NewRequest("GET", tc.path+"?token="+tc.token, nil)
		r.Header.Set(SessionHeader, tc.session)
		reply := tc.by.Reply(r, tc.at)
		if reply.Path != tc.want || (reply.Status == http.StatusForbidden) != (tc.want == "") {
			t.Errorf("%s: %+v", tc.name, reply)
		}
	}
}

// A steered manifest is a good one, with all that the plain one has once for
// each pathway.
func TestSteered(t *testing.T) {
	s := newService(t)
	reply := s.Reply(httptest.NewRequest("GET", "/steered/vod/cmaf/master.m3u8", nil), time.Now())
	list, err := hls.Parse(base+"/steered/vod/cmaf/master.m3u8", reply.Own.Body)
	if err != nil || list.Multivariant == nil || len(list.Multivariant.Variants) != 4 || len(list.Faults()) > 0 {
		t.Fatalf("%v\n%s", err, reply.Own.Body)
	}
	for _, want := range []string{
		`#EXT-X-CONTENT-STEERING:SERVER-URI="/steering",PATHWAY-ID="a"`,
		`GROUP-ID="aac-b",NAME="tone",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="https://b.lab.example:1/vod/cmaf/a48/index.m3u8"`,
		`AUDIO="aac-b",PATHWAY-ID="b"` + "\nhttps://b.lab.example:1/vod/cmaf/v720/index.m3u8\n",
	} {
		if bytes.Count(reply.Own.Body, []byte(want)) != 1 {
			t.Errorf("%s is not once in\n%s", want, reply.Own.Body)
		}
	}
	reply = s.Reply(httptest.NewRequest("GET", "/steered/vod/cmaf/manifest-number.mpd", nil), time.Now())
	if _, err := dash.Parse(base+"/steered/vod/cmaf/manifest-number.mpd", reply.Own.Body); err != nil {
		t.Errorf("%v\n%s", err, reply.Own.Body)
	}
	for _, want := range []string{
		`<BaseURL serviceLocation="b">https://b.lab.example:1/vod/cmaf/</BaseURL>`,
		`<ContentSteering defaultServiceLocation="a" queryBeforeStart="true">` + base + `/steering</ContentSteering>`,
	} {
		if bytes.Count(reply.Own.Body, []byte(want)) != 1 {
			t.Errorf("%s is not once in\n%s", want, reply.Own.Body)
		}
	}
	for _, none := range []string{"/steered/vod/none.m3u8", "/steered/vod/cmaf/v360/0.m4s"} {
		if reply := s.Reply(httptest.NewRequest("GET", none, nil), time.Now()); reply.Status != http.StatusNotFound {
			t.Errorf("%s: %+v", none, reply)
		}
	}
}

// The order is the second pathway first, until it is set.
func TestOrder(t *testing.T) {
	s := newService(t)
	steering := func() string {
		return string(s.Reply(httptest.NewRequest("GET", SteeringPath, nil), time.Now()).Own.Body)
	}
	if got := steering(); got != `{"PATHWAY-PRIORITY":["b","a"],"TTL":300,"VERSION":1}` {
		t.Error(got)
	}
	for _, tc := range []struct {
		order string
		want  int
	}{{`["a"]`, 200}, {`["x"]`, 400}, {`[]`, 400}, {`{}`, 400}} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("PUT", SteeringPath, strings.NewReader(tc.order)))
		if w.Code != tc.want {
			t.Errorf("%s: %d %s", tc.order, w.Code, w.Body)
		}
	}
	if got := steering(); got != `{"PATHWAY-PRIORITY":["a"],"TTL":300,"VERSION":1}` {
		t.Error(got)
	}
}
