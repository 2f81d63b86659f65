package probes_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
)

// contents is all that a bundle holds, as its files do.
func contents(t *testing.T, b *bundle.Bundle) []byte {
	t.Helper()
	var all bytes.Buffer
	e := json.NewEncoder(&all)
	e.SetEscapeHTML(false)
	for _, v := range []any{b.Run, b.Probe, b.Exchanges} {
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	for i := range b.Exchanges {
		if body := b.Exchanges[i].Body; body != nil {
			all.Write(body.Data)
		}
	}
	return all.Bytes()
}

// lacks fails the test where one of the texts is in the bundle.
func lacks(t *testing.T, b *bundle.Bundle, secrets ...string) {
	t.Helper()
	all := contents(t, b)
	for _, s := range secrets {
		if at := bytes.Index(all, []byte(s)); at >= 0 {
			t.Errorf("…%q…", all[max(0, at-80):min(len(all), at+30)])
		}
	}
}

// tokens is a stream each of whose addresses has a token of its own, of a kind
// that CDNs use, and whose media and answers hold tokens, too.
func tokens(t *testing.T) http.Handler {
	segment, err := os.ReadFile(filepath.Join(media, "ts/360p/0.ts"))
	if err != nil {
		t.Fatal(err)
	}
	segment = append(bytes.Clone(segment), "\x47\x1f\xff\x10master-5ecret"+strings.Repeat("\xff", 184-13)...)
	answers := map[string]string{
		"/master.m3u8": "#EXTM3U\n#EXT-X-DEFINE:NAME=\"t\",VALUE=\"define-5ecret\"\n#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"master-5ecret\"\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=800000\n/hdntl=exp=1700001234~acl=%2f*~hmac=hm4c-5ecret/media.m3u8?Signature={$t}&Policy=pol-5ecret__&Key-Pair-Id=APKA5ecret\n",
		"/hdntl=exp=1700001234~acl=%2f*~hmac=hm4c-5ecret/media.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n../one.ts?token=one-5ecret\n#EXTINF:2,\n../two.ts?token=two-5ecret\n#EXT-X-ENDLIST\n",
		"/m.mpd": `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-live:2011"><BaseURL>/cmaf/</BaseURL><Period>` +
			`<AdaptationSet contentType="video" mimeType="video/mp4"><Representation id="v" bandwidth="1" codecs="avc1.64001e"><SegmentTemplate duration="2" initialization="v360/init.mp4?sig=mpd-5ecret&amp;a=1" media="v360/$Number$.m4s?sig=mpd-5ecret&amp;n=$Number$" startNumber="0"/></Representation></AdaptationSet></Period></MPD>`,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "CloudFront-Signature", Value: "cookie-5ecret"})
		if a, ok := answers[r.URL.EscapedPath()]; ok {
			fmt.Fprint(w, a)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/cmaf/") && r.URL.Query().Get("sig") == "mpd-5ecret" {
			http.FileServer(http.Dir(media)).ServeHTTP(w, r)
			return
		}
		if tok := r.URL.Query().Get("token"); tok == "one-5ecret" || tok == "two-5ecret" {
			w.Write(segment)
			return
		}
		http.Error(w, "refused: token=deny-5ecret", http.StatusForbidden)
	})
}

// No secret is in a bundle: of URLs, headers, manifests, media, answers. And
// yet it plays as it did, where the secrets are not known.
func TestReplaySecrets(t *testing.T) {
	srv, other := server(t, signed()), server(t, tokens(t))
	gone := server(t, http.NotFoundHandler())
	gone.Close()
	for _, tt := range []struct {
		name, url, player string
		ok                bool
	}{
		{"headers, a redirect, a path", srv.URL + "/enter?jwt=first-5ecret&a=1", "ideal", true},
		{"refused", srv.URL + "/play/path-5ecret/m.m3u8?token=url-5ecret", "ideal", false},
		{"refused in words", other.URL + "/none.m3u8?token=master-5ecret", "ideal", false},
		{"nobody listens", gone.URL + "/m.m3u8?policy=pol-5ecret", "ideal", false},
		{"no name", "http://user-5ecret:pass-5ecret@nowhere.invalid/m?auth=q-5ecret", "ideal", false},
		{"not a URL", "ftp://user-5ecret@a/?key-pair-id=k-5ecret", "ideal", false},
		{"HLS", other.URL + "/master.m3u8?hdnts=exp=1700001234~hmac=master-5ecret", "hlsjs", true},
		{"DASH", other.URL + "/m.mpd?token=master-5ecret", "shaka", true},
		{"CMCD in the query", other.URL + "/master.m3u8?token=master-5ecret", "hlsjs", true},
		{"CMCD in the header", other.URL + "/master.m3u8?token=master-5ecret", "hlsjs", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := spec(tt.url, tt.player, "")
			s.Target.Redact = []string{"/play/([^/]+)/"}
			s.App.Headers = map[string]string{"Authorization": "Bearer head-5ecret"}
			s.App.Query = map[string]string{"access_token": "query-5ecret", "k": "Zx81kQ05ecret0vbN2mR7tY"}
			s.Network.Header = http.Header{"X-Api-Key": {"network-5ecret"}, "X-Of-Ours": {"5ecretZx81kQ0vbN2mR7tY"}}
			if _, in, ok := strings.Cut(tt.name, "CMCD in the "); ok {
				s.App.CMCD = in
			}
			then, b := record(t, s)
			if then.OK != tt.ok {
				t.Errorf("ok %v, %s at %s: %s", then.OK, then.ErrorType, then.ErrorStep, then.ErrorDetail)
			}
			lacks(t, b, "5ecret", "1700001234")
			if want := "refused: token=REDACTED\n"; tt.name == "refused in words" && string(b.Exchanges[0].Body.Data) != want {
				t.Errorf("the answer was %q, want %q", b.Exchanges[0].Body.Data, want)
			}
			same(t, then, replay(t, then, b))
		})
	}
}

// The same of a service's own interface: what it was asked with, and what it
// answered. It is played again where nobody knows the secrets.
func TestReplayPlaybackAPI(t *testing.T) {
	srv := server(t, &service{answer: goodAnswer})
	for name, headers := range map[string]map[string]string{"asked": nil, "after a preflight": {"Origin": "https://www.example"}} {
		t.Run(name, func(t *testing.T) {
			secretFiles(t)
			s := spec(srv.URL+"/nothing.m3u8", "hlsjs", "")
			s.Target.Name, s.Target.PlaybackAPI = "film", film(srv.URL+"/api?key=${env:FIRSTFRAME_SECRET_API}")
			s.App.Headers = headers
			then, b := record(t, s)
			must(t, then)
			lacks(t, b, "5ecret")
			if first := b.Exchanges[0].Request; (first.Method == http.MethodOptions) != (headers != nil) {
				t.Errorf("first %s %s", first.Method, first.URL)
			}
			t.Setenv("FIRSTFRAME_SECRET_API", "")
			t.Setenv("FIRSTFRAME_SECRETS", t.TempDir())
			same(t, then, replay(t, then, b))
		})
	}
}

// A content key is not in a bundle, in no way of writing it, nor what it
// encrypted as it was; what it encrypts decrypts nevertheless.
func TestReplayKeys(t *testing.T) {
	key := []byte("a content key! 1")
	long := append(key, "and 16 more....."...)
	clear, err := os.ReadFile(filepath.Join(media, "ts/360p/0.ts"))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	pad := 16 - len(clear)%16
	cbc := append(bytes.Clone(clear), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(cbc, cbc)
	block, err = aes.NewCipher(long)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := cipher.NewGCMWithNonceSize(block, 16)
	if err != nil {
		t.Fatal(err)
	}
	iv := []byte("an IV of 16 byte")
	gcm := sealer.Seal(bytes.Clone(iv), iv, clear, nil)
	forged := bytes.Clone(gcm)
	forged[1000]++
	inline := strings.Replace(encrypted, "URI=\"key\"", "URI=\"data:text/plain;base64,"+base64.StdEncoding.EncodeToString(key)+"\"", 1)
	escapes := "data:,%" + strings.Join(regexp.MustCompile("..").FindAllString(hex.EncodeToString(key), -1), "%")
	for _, tt := range []struct {
		name, manifest string
		key            []byte
		segment        []byte
		fails          run.ErrorType
	}{
		{"AES-128", encrypted, key, cbc, ""},
		{"in the playlist", inline, key, cbc, ""},
		{"in the playlist, the segment gone", inline, key, nil, run.ErrHTTP4xx},
		{"in the playlist, escaped", strings.Replace(inline, "data:text/plain;base64,"+base64.StdEncoding.EncodeToString(key), escapes, 1), key, cbc, ""},
		{"in the playlist, of no segment asked for", strings.Replace(inline, "#EXTINF", "#EXT-X-KEY:METHOD=NONE\n#EXTINF", 1), key, clear, ""},
		{"AES-128, not whole blocks", encrypted, key, cbc[:len(cbc)-3], run.ErrSegmentTruncated},
		{"AES-128, no padding", encrypted, key, cbc[:len(cbc)-16], run.ErrDecrypt},
		{"AES-256-GCM", strings.Replace(encrypted, "AES-128", "AES-256-GCM", 1), long, gcm, ""},
		{"AES-256-GCM, forged", strings.Replace(encrypted, "AES-128", "AES-256-GCM", 1), long, forged, run.ErrDecrypt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle("/m", text(tt.manifest))
			mux.Handle("/key", text(string(tt.key)))
			mux.HandleFunc("/segment", func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(50 * time.Millisecond) // the key is there first
				if tt.segment == nil {
					w.WriteHeader(http.StatusNotFound)
				}
				w.Write(tt.segment)
			})
			s := spec(server(t, mux).URL+"/m", "hlsjs", "")
			if tt.fails != "" { // until then it is tried again
				s.Target.Timeout = 3 * time.Second
			}
			then, b := record(t, s)
			if then.ErrorType != tt.fails {
				t.Fatalf("%s at %s: %s, want %q", then.ErrorType, then.ErrorStep, then.ErrorDetail, tt.fails)
			}
			same(t, then, replay(t, then, b))
			k := string(tt.key)
			lacks(t, b, k, hex.EncodeToString(tt.key), base64.RawStdEncoding.EncodeToString(tt.key), escapes)
			if s := tt.segment; s != nil && &s[0] != &clear[0] && tt.name != "AES-256-GCM, forged" { // which nothing opens
				lacks(t, b, string(tt.segment[32:64]))
			}
		})
	}
}

// A request that the bundle does not hold is named.
func TestReplayMissing(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/m", text(playlist))
	mux.Handle("/segment", fromFile("ts/360p/0.ts", 0))
	then, b := record(t, spec(server(t, mux).URL+"/m", "ideal", ""))
	must(t, then)
	url := b.Exchanges[1].Request.URL
	b.Exchanges = b.Exchanges[:1]
	now := probes.Replay(context.Background(), b)
	if want := "GET " + url; len(now.Missing) != 1 || now.Missing[0] != want {
		t.Errorf("missing %q, want %q", now.Missing, want)
	}
	if want := "the verdict was a first frame, is internal at segment"; len(now.Changed) == 0 || now.Changed[0] != want {
		t.Errorf("changed %q, want %q", now.Changed, want)
	}
	if !strings.Contains(now.Run.ErrorDetail, "the recording does not hold GET "+url) {
		t.Errorf("%s", now.Run.ErrorDetail)
	}
}
