package cdn

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// recorded is an answer of a real CDN, labelled by hand; its source says where
// it was published.
type recorded struct {
	ID      string      `json:"id"`
	Headers [][2]string `json:"headers"`
	CDN     string      `json:"cdn"`
	POP     *string     `json:"pop"`
	Cache   *string     `json:"cache"`
	Sure    string      `json:"confidence"`
}

func (r *recorded) header() http.Header {
	h := http.Header{}
	for _, kv := range r.Headers {
		h.Add(kv[0], kv[1])
	}
	return h
}

func readRecorded(t testing.TB) []recorded {
	t.Helper()
	f, err := os.Open("testdata/headers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []recorded
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// required are the CDNs that must be told right in every recorded answer that
// shows them for sure.
var required = map[string]bool{"cloudfront": true, "fastly": true, "cloudflare": true, "akamai": true}

func TestRecordedAnswers(t *testing.T) {
	known := map[string]bool{}
	for i := range rules {
		known[rules[i].name] = true
	}
	right, total := 0, 0
	for _, r := range readRecorded(t) {
		got := Identify(r.header())
		cacheRight := r.Cache == nil || got.Cache == *r.Cache
		ok := got.CDN == r.CDN && cacheRight && (r.POP == nil || got.POP == *r.POP)
		if known[r.CDN] {
			total++
			if ok {
				right++
			}
		}
		if ok || !required[r.CDN] || r.Sure != "sure" {
			continue
		}
		want := Identity{CDN: r.CDN}
		if r.POP != nil {
			want.POP = *r.POP
		}
		if r.Cache != nil {
			want.Cache = *r.Cache
		}
		t.Errorf("%s: got %+v, want %+v", r.ID, got, want)
	}
	if right*10 < total*8 {
		t.Errorf("%d of %d answers of known CDNs told right, want four in five", right, total)
	}
	t.Logf("%d of %d answers of known CDNs told right", right, total)
}

func TestIdentify(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers string
		want    Identity
	}{
		{"CloudFront", "X-Cache: Hit from cloudfront\nX-Amz-Cf-Pop: GRU3-P2\nX-Amz-Cf-Id: x", Identity{"cloudfront", "GRU3-P2", "BR", run.CacheHit}},
		{"CloudFront, refreshed", "X-Cache: RefreshHit from cloudfront\nX-Amz-Cf-Pop: FRA56-P5", Identity{"cloudfront", "FRA56-P5", "DE", run.CacheRevalidated}},
		{"CloudFront, made by a function", "X-Cache: LambdaGeneratedResponse from cloudfront\nX-Amz-Cf-Pop: FRA56-P5", Identity{"cloudfront", "FRA56-P5", "DE", run.CacheUnknown}},
		{"Fastly: the shield hit", "X-Served-By: cache-ams1-AMS, cache-cpt13820-CPT\nX-Cache: HIT, MISS", Identity{"fastly", "CPT", "ZA", run.CacheHitRemote}},
		{"Fastly in two lines", "X-Served-By: cache-ams1-AMS\nX-Served-By: cache-bom1-BOM\nX-Cache: MISS\nX-Cache: HIT", Identity{"fastly", "BOM", "IN", run.CacheHit}},
		{"Fastly, stale", "X-Served-By: cache-bom1-BOM\nX-Cache: HIT\nFastly-State: HIT-STALE", Identity{"fastly", "BOM", "IN", run.CacheStale}},
		{"Cloudflare", "CF-Ray: 69f8914218ec0c42-NRT\nCF-Cache-Status: EXPIRED", Identity{"cloudflare", "NRT", "JP", run.CacheMiss}},
		{"Cloudflare, not cached", "CF-Ray: 69f8914218ec0c42-NRT\nCF-Cache-Status: DYNAMIC", Identity{"cloudflare", "NRT", "JP", run.CacheBypass}},
		{"Akamai by Server-Timing", "Server-Timing: cdn-cache; desc=HIT, edge; dur=1\nAkamai-GRN: 0.1", Identity{"akamai", "", "", run.CacheHit}},
		{"Akamai's parent hit", "X-My-Status: Miss from child, Hit from parent\nAkamai-GRN: 0.1", Identity{"akamai", "", "", run.CacheHitRemote}},
		{"RFC 9211: the nearest is last", `Cache-Status: "Shield"; hit, ExampleCache; fwd=uri-miss; stored`, Identity{Cache: run.CacheMiss}},
		{"RFC 9211: hit", `Cache-Status: Edge; hit; ttl=-12`, Identity{Cache: run.CacheHit}},
		{"RFC 9211: bypass", `Cache-Status: Edge; fwd=bypass`, Identity{Cache: run.CacheBypass}},
		{"an origin by itself", "Server: nginx", Identity{Cache: run.CacheUnknown}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for line := range strings.SplitSeq(tt.headers, "\n") {
				k, v, _ := strings.Cut(line, ": ")
				h.Add(k, v)
			}
			if diff := cmp.Diff(tt.want, Identify(h)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What Identify reads must be among what a step keeps, or a run could not be
// understood later.
func TestKeepHeadersKeepsWhatIdentifies(t *testing.T) {
	for _, r := range readRecorded(t) {
		if !required[r.CDN] {
			continue
		}
		h := r.header()
		kept := http.Header{}
		for name, values := range KeepHeaders(h) {
			for _, v := range values {
				kept.Add(name, v)
			}
		}
		if akamaiChild(header{h}) != "" { // stands under a name of the customer's own
			continue
		}
		if diff := cmp.Diff(Identify(h), Identify(kept)); diff != "" {
			t.Errorf("%s (-all headers +kept):\n%s", r.ID, diff)
		}
	}
}

func TestKeepHeadersIsBounded(t *testing.T) {
	h := http.Header{"X-Cache": make([]string, 100), "Via": {strings.Repeat("x", 100_000)}, "Set-Cookie": {"secret=1"}}
	got := KeepHeaders(h)
	if len(got) != 2 || len(got["x-cache"]) != maxValues || len(got["via"][0]) != MaxHeaderLength {
		t.Errorf("kept %d headers, %d values of x-cache, %d bytes of via", len(got), len(got["x-cache"]), len(got["via"][0]))
	}
	if KeepHeaders(http.Header{"Set-Cookie": {"a"}}) != nil {
		t.Error("nothing to keep, and yet a map")
	}
}

func FuzzIdentify(f *testing.F) {
	for _, r := range readRecorded(f) {
		text, _ := json.Marshal(r.Headers)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var pairs [][2]string
		if json.Unmarshal(text, &pairs) != nil {
			return
		}
		r := recorded{Headers: pairs}
		id := Identify(r.header())
		if id.Cache == "" {
			t.Errorf("no cache status: %+v", id)
		}
		KeepHeaders(r.header())
	})
}

func BenchmarkIdentify(b *testing.B) {
	all := readRecorded(b)
	headers := make([]http.Header, len(all))
	for i := range all {
		headers[i] = all[i].header()
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		Identify(headers[i%len(headers)])
	}
}
