package cdn

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

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

// exceptions are recorded answers that are told otherwise than labelled, and
// why.
var exceptions = map[string]struct {
	want Identity
	why  string
}{
	"creoline-01":      {Identity{POP: "FRANKFURT", Cache: run.CacheHit}, "a CDN without a rule"},
	"telecomitalia-01": {Identity{Cache: run.CacheUnknown}, "a CDN without a rule"},
	"stackpath-01":     {Identity{Cache: run.CacheUnknown}, "a CDN that ended"},
	"fastly-07":        {Identity{CDN: "fastly", POP: "SYD", POPCountry: "AU", Cache: run.CacheHit}, "stale shows as HIT; an age beyond max-age says nothing where Surrogate-Control was taken off"},
}

// countries are those of the recorded points of presence that have one.
const countries = `akamai-04 ID akamai-05 TW alibaba-04 CN alibaba-06 CN alibaba-08 CN alibaba-09 CN alibaba-10 CN alibaba-11 HK
apple-02 JP apple-04 NL apple-05 US azure-03 DE azure-04 TR azure-05 BR azure-08 US bunny-05 FI bunny-07 DE bunny-09 GB
cdn77-01 US cdn77-02 US cloudflare-06 RU cloudflare-13 DE cloudfront-01 NL cloudfront-02 DE cloudfront-04 JP cloudfront-08 FI
cloudfront-12 FI cloudfront-14 US fastly-03 US fastly-05 ZA fastly-06 NZ fastly-09 US fastly-10 US fastly-11 US fastly-13 IN
keycdn-01 DE keycdn-04 US vercel-05 FR vercel-06 ZA wikimedia-01 NL wikimedia-02 SG wikimedia-03 US`

// labelled is what a recorded answer is to be told as.
func (r *recorded) labelled() Identity {
	if e, ok := exceptions[r.ID]; ok {
		return e.want
	}
	want := Identity{CDN: r.CDN, Cache: run.CacheUnknown}
	if r.CDN == "none" {
		want.CDN = ""
	}
	if r.POP != nil {
		want.POP = *r.POP
	}
	if r.Cache != nil {
		want.Cache = *r.Cache
	}
	f := strings.Fields(countries)
	for i := 0; i < len(f); i += 2 {
		if f[i] == r.ID {
			want.POPCountry = f[i+1]
		}
	}
	return want
}

func TestRecordedAnswers(t *testing.T) {
	all := readRecorded(t)
	if len(all) != 99 {
		t.Errorf("%d answers, want 99", len(all))
	}
	for _, r := range all {
		got := Identify(r.header())
		if (got.POPCity != "") && got.POPCountry == "" {
			t.Errorf("%s: a city %s without a country", r.ID, got.POPCity)
		}
		got.POPCity = "" // which no label has
		if diff := cmp.Diff(r.labelled(), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.ID, diff)
		}
	}
}

func TestIdentify(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers string
		want    Identity
	}{
		{"CloudFront", "X-Cache: Hit from cloudfront\nX-Amz-Cf-Pop: GRU3-P2\nX-Amz-Cf-Id: x", Identity{CDN: "cloudfront", POP: "GRU3-P2", POPCountry: "BR", Cache: run.CacheHit}},
		{"CloudFront, refreshed", "X-Cache: RefreshHit from cloudfront\nX-Amz-Cf-Pop: FRA56-P5", Identity{CDN: "cloudfront", POP: "FRA56-P5", POPCountry: "DE", Cache: run.CacheRevalidated}},
		{"CloudFront, made by a function", "X-Cache: LambdaGeneratedResponse from cloudfront\nX-Amz-Cf-Pop: FRA56-P5", Identity{CDN: "cloudfront", POP: "FRA56-P5", POPCountry: "DE", Cache: run.CacheUnknown}},
		{"Fastly: the shield hit", "X-Served-By: cache-ams1-AMS, cache-cpt13820-CPT\nX-Cache: HIT, MISS", Identity{CDN: "fastly", POP: "CPT", POPCountry: "ZA", Cache: run.CacheHitRemote}},
		{"Fastly in two lines", "X-Served-By: cache-ams1-AMS\nX-Served-By: cache-bom1-BOM\nX-Cache: MISS\nX-Cache: HIT", Identity{CDN: "fastly", POP: "BOM", POPCountry: "IN", Cache: run.CacheHit}},
		{"Fastly, stale", "X-Served-By: cache-bom1-BOM\nX-Cache: HIT\nFastly-State: HIT-STALE", Identity{CDN: "fastly", POP: "BOM", POPCountry: "IN", Cache: run.CacheStale}},
		{"Fastly, passed", "X-Served-By: cache-bom1-BOM\nX-Cache: MISS\nFastly-State: PASS", Identity{CDN: "fastly", POP: "BOM", POPCountry: "IN", Cache: run.CacheBypass}},
		{"Fastly before another Varnish that hit", "X-Served-By: cache-bom1-BOM\nX-Cache: HIT, MISS", Identity{CDN: "fastly", POP: "BOM", POPCountry: "IN", Cache: run.CacheMiss}},
		{"Fastly in front of CloudFront", "Via: 1.1 x.cloudfront.net (CloudFront), 1.1 varnish\nX-Served-By: cache-bom1-BOM\nX-Amz-Cf-Pop: GRU3-P2\nX-Cache: Miss from cloudfront, HIT", Identity{CDN: "fastly", POP: "BOM", POPCountry: "IN", Cache: run.CacheHit}},
		{"CloudFront in front of Fastly", "Via: 1.1 varnish, 1.1 x.cloudfront.net (CloudFront)\nX-Served-By: cache-bom1-BOM\nX-Amz-Cf-Pop: GRU3-P2\nX-Cache: HIT, Miss from cloudfront", Identity{CDN: "cloudfront", POP: "GRU3-P2", POPCountry: "BR", Cache: run.CacheMiss}},
		{"CloudFront, from a regional edge cache", "X-Amz-Cf-Pop: GRU3-P2\nX-Cache: Hit from cloudfront\nServer-Timing: cdn-cache-hit,cdn-hit-layer;desc=\"REC\"", Identity{CDN: "cloudfront", POP: "GRU3-P2", POPCountry: "BR", Cache: run.CacheHitRemote}},
		{"CloudFront by Server-Timing", "X-Amz-Cf-Pop: GRU3-P2\nServer-Timing: cdn-cache-miss", Identity{CDN: "cloudfront", POP: "GRU3-P2", POPCountry: "BR", Cache: run.CacheMiss}},
		{"Cloudflare", "CF-Ray: 69f8914218ec0c42-NRT\nCF-Cache-Status: EXPIRED", Identity{CDN: "cloudflare", POP: "NRT", POPCountry: "JP", Cache: run.CacheMiss}},
		{"Cloudflare, not cached", "CF-Ray: 69f8914218ec0c42-NRT\nCF-Cache-Status: DYNAMIC", Identity{CDN: "cloudflare", POP: "NRT", POPCountry: "JP", Cache: run.CacheBypass}},
		{"Akamai by Server-Timing", "Server-Timing: cdn-cache; desc=HIT, edge; dur=1\nAkamai-GRN: 0.1", Identity{CDN: "akamai", POP: "", POPCountry: "", Cache: run.CacheHit}},
		{"Akamai's X-Cache-Remote", "Akamai-GRN: 0.1\nX-Cache: TCP_MISS from a.deploy.akamaitechnologies.com (AkamaiGHost/1) (-)\nX-Cache-Remote: TCP_HIT from b", Identity{CDN: "akamai", POP: "", POPCountry: "", Cache: run.CacheHitRemote}},
		{"Akamai's parent hit", "X-My-Status: Miss from child, Hit from parent\nAkamai-GRN: 0.1", Identity{CDN: "akamai", POP: "", POPCountry: "", Cache: run.CacheHitRemote}},
		{"RFC 9211: the nearest is last", `Cache-Status: "Shield"; hit, ExampleCache; fwd=uri-miss; stored`, Identity{Cache: run.CacheMiss}},
		{"RFC 9211: hit", `Cache-Status: Edge; hit; ttl=12`, Identity{Cache: run.CacheHit}},
		{"RFC 9211: stale hit", `Cache-Status: Edge; hit; ttl=-12`, Identity{Cache: run.CacheStale}},
		{"RFC 9211: bypass", `Cache-Status: Edge; fwd=bypass`, Identity{Cache: run.CacheBypass}},
		{"RFC 9211: revalidated", `Cache-Status: Edge; fwd=stale; fwd-status=304`, Identity{Cache: run.CacheRevalidated}},
		{"RFC 9211: hit=?0 is none", `Cache-Status: Edge; hit=?0; fwd=miss`, Identity{Cache: run.CacheMiss}},
		{"RFC 9211: another tier hit", "Cache-Status: \"Example Shield\"; hit\nCache-Status: \"Example Edge\"; fwd=miss", Identity{Cache: run.CacheHitRemote}},
		{"RFC 9211: comma and semicolon in a string", `Cache-Status: Edge; detail="a, b; fwd=miss"; key="x\", Y; hit"; fwd=bypass`, Identity{Cache: run.CacheBypass}},
		{"RFC 9211: an origin's cache behind a CDN", "CF-Ray: 1-NRT\nCache-Status: Edge; hit", Identity{CDN: "cloudflare", POP: "NRT", POPCountry: "JP", Cache: run.CacheUnknown}},
		{"a hostile point of presence", "X-77-Pop: " + strings.Repeat("x", 65) + "\nX-77-Cache: HIT", Identity{CDN: "cdn77", POP: "", POPCountry: "", Cache: run.CacheHit}},
		{"an origin by itself", "Server: nginx", Identity{Cache: run.CacheUnknown}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for line := range strings.SplitSeq(tt.headers, "\n") {
				k, v, _ := strings.Cut(line, ": ")
				h.Add(k, v)
			}
			got := Identify(h)
			if tt.want.POPCity = cityOfAirport(firstLetters(got.POP, 3)); tt.want.POPCity == "" && tt.want.POP != "" {
				t.Errorf("no city of %s", tt.want.POP)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What Identify reads must be among what a step keeps, or a run could not be
// understood later.
func TestKeepHeadersKeepsWhatIdentifies(t *testing.T) {
	for _, r := range readRecorded(t) {
		h := r.header()
		if diff := cmp.Diff(Identify(h), Identify(again(KeepHeaders(h)))); diff != "" {
			t.Errorf("%s (-all headers +kept):\n%s", r.ID, diff)
		}
	}
}

// again are kept headers as the header of an answer.
func again(kept map[string][]string) http.Header {
	h := http.Header{}
	for name, lines := range kept {
		for _, l := range lines {
			h.Add(name, l)
		}
	}
	return h
}

func TestKeepHeadersIsBounded(t *testing.T) {
	h := http.Header{
		"X-Cache": slices.Concat(make([]string, 100), []string{"HIT"}), "Via": {strings.Repeat("x", 100_000) + ", 1.1 google"},
		"Set-Cookie": {"secret=1"}, "Authorization": {"secret"},
	}
	got := KeepHeaders(h)
	if len(got) != 2 || len(got["x-cache"]) != maxLines || len(got["via"][0]) != MaxHeaderLength {
		t.Errorf("kept %d headers, %d lines of x-cache, %d bytes of via", len(got), len(got["x-cache"]), len(got["via"][0]))
	}
	if id := Identify(h); id.CDN != "google" || id.Cache != run.CacheHit {
		t.Errorf("the end of a long header is not read: %+v", id)
	}
	if KeepHeaders(http.Header{"Set-Cookie": {"a"}}) != nil {
		t.Error("nothing to keep, and yet a map")
	}
	flood := http.Header{}
	for _, n := range kept {
		flood[n.canonical] = slices.Repeat([]string{strings.Repeat("x", 60)}, 5)
	}
	if n := size(KeepHeaders(flood)); n > MaxKept || n < MaxKept/2 {
		t.Errorf("kept %d bytes of a flood, want at most %d", n, MaxKept)
	}
}

func size(kept map[string][]string) (n int) {
	for name, lines := range kept {
		n += len(name)
		for _, l := range lines {
			n += len(l)
		}
	}
	return n
}

// A name in another case than net/http's would never be found.
func TestKeptNamesAreCanonical(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range kept {
		if want := http.CanonicalHeaderKey(n.canonical); n.canonical != want || seen[want] {
			t.Errorf("%s: want %s, once", n.canonical, want)
		}
		seen[n.canonical] = true
	}
}

func TestPOPTable(t *testing.T) {
	seen := map[string]bool{}
	lines := strings.Split(strings.TrimSpace(popTable), "\n")
	if lines[0] != "code,country,city" {
		t.Errorf("heading %q", lines[0])
	}
	cities := 0
	for _, line := range lines[1:] {
		f := strings.Split(line, ",")
		if len(f) != 3 || len(f[1]) != 2 || f[1] != strings.ToUpper(f[1]) || strings.TrimSpace(f[2]) != f[2] {
			t.Fatalf("%q", line)
		}
		code := f[0]
		if len(code) != 3 || code != strings.ToUpper(code) || seen[code] {
			t.Errorf("%s: code %q is not three capital letters, or there twice", f[1], code)
		}
		seen[code] = true
		if f[2] != "" {
			cities++
		}
		if one := cityNamed(f[1], f[2]); one != f[2] || strings.ContainsFunc(f[2], func(r rune) bool { return unicode.Is(unicode.Mn, r) }) {
			t.Errorf("%s: city %q is elsewhere %q, or its accents stand apart", code, f[2], one)
		}
	}
	if len(seen) < 740 || len(seen)-cities > 5 {
		t.Errorf("%d codes, %d with a city", len(seen), cities)
	}
	for code, want := range map[string]string{"GRU": "São Paulo", "fra": "Frankfurt", "KNO": "Medan", "GIG": "Rio de Janeiro", "FRAX": "", "ZZZ": ""} {
		if got := cityOfAirport(code); got != want {
			t.Errorf("%q lies in %q, want %q", code, got, want)
		}
	}
	for code, want := range map[string]string{"GRU": "BR", "gig": "BR", "FRA": "DE", "NRT": "JP", "JNB": "ZA", "MIA": "US", "": "", "ZZZ": "", "FRAX": "", "country": ""} {
		if got := CountryOfAirport(code); got != want {
			t.Errorf("%q lies in %q, want %q", code, got, want)
		}
	}
}

func TestCityOfPOP(t *testing.T) {
	for headers, want := range map[string]string{
		"X-77-Pop: frankfurtDE": "Frankfurt",
		"X-77-Pop: newyorkUSNY": "New York",
		"X-77-Pop: saopauloBR":  "São Paulo",
		"X-77-Pop: frankfurt":   "",
		"X-Edge-Ip: 192.0.2.1\nX-Edge-Location: Los Angeles, US":    "Los Angeles",
		"Akamai-Grn: 1\nAkamai-Request-Bc: [a=1,n=US_CA_SANDIEGO]":  "San Diego",
		"Akamai-Grn: 1\nAkamai-Request-Bc: [a=1,n=TW__TAIPEI]":      "Taipei",
		"Akamai-Grn: 1\nAkamai-Request-Bc: [a=1,n=US_XX_ELSEWHERE]": "",
		"Akamai-Grn: 1\nAkamai-Request-Bc: [a=1,n=DE_]":             "",
		"Server: BunnyCDN-DE1-601":                                  "",
		"X-Vercel-Id: cdg1::x":                                      "Paris",
	} {
		if got := Identify(parse(headers)).POPCity; got != want {
			t.Errorf("%s: city %q, want %q", headers, got, want)
		}
	}
}

func TestCountryOfPOP(t *testing.T) {
	for name, tt := range map[string]struct {
		of   func(string) string
		pop  string
		want string
	}{
		"Bunny":                     {bunnyCountry, "DE1", "DE"},
		"Bunny, United Kingdom":     {bunnyCountry, "UK1", "GB"},
		"Bunny, Israel or Illinois": {bunnyCountry, "IL1", ""},
		"Bunny, an airport":         {bunnyCountry, "PHX1", "US"},
		"Bunny, without a number":   {bunnyCountry, "FR", "FR"},
		"Bunny, New York":           {bunnyCountry, "NY1", ""},
		"CDN77":                     {cdn77Country, "frankfurtDE", "DE"},
		"CDN77, with a state":       {cdn77Country, "newyorkUSNY", "US"},
		"CDN77, no country":         {cdn77Country, "frankfurt", ""},
		"Akamai":                    {prefix, "US_CA_SANDIEGO", "US"},
		"Alibaba":                   {alibabaCountry, "cache13.cn2967", "CN"},
		"Alibaba, second level":     {alibabaCountry, "cache5.l2eu6-1", ""},
		"Alibaba, no group":         {alibabaCountry, "cache5", ""},
		"Wikimedia":                 {wikimediaCountry, "cp7001", "BR"},
		"Wikimedia, short":          {wikimediaCountry, "cp", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.of(tt.pop); got != tt.want {
				t.Errorf("%s lies in %q, want %q", tt.pop, got, tt.want)
			}
		})
	}
}

func FuzzIdentify(f *testing.F) {
	named := map[string]bool{"": true}
	for _, rules := range [...][]rule{vendors, asian, software} {
		for i := range rules {
			named[rules[i].name] = true
		}
	}
	for _, name := range cdnOfZone {
		named[name] = true
	}
	for _, r := range readRecorded(f) {
		text, _ := json.Marshal(r.Headers)
		f.Add(text, "media.example a.akamaized.net")
	}
	f.Fuzz(func(t *testing.T, text []byte, chain string) {
		var pairs [][2]string
		if json.Unmarshal(text, &pairs) != nil {
			return
		}
		h := (&recorded{Headers: pairs}).header()
		id := Identify(h, strings.Fields(chain)...)
		if !named[id.CDN] {
			t.Errorf("CDN %q", id.CDN)
		}
		if !slices.Contains(statuses, id.Cache) || len(id.POP) > 64 || len(id.POPCountry) != 0 && !isCountry[id.POPCountry] {
			t.Errorf("%+v", id)
		}
		if n := size(KeepHeaders(h)); n > MaxKept {
			t.Errorf("kept %d bytes", n)
		}
	})
}

// statuses are the words that the contract knows.
var statuses = []string{run.CacheHit, run.CacheHitRemote, run.CacheStale, run.CacheRevalidated,
	run.CacheMiss, run.CacheBypass, run.CacheError, run.CacheUnknown}

func BenchmarkKeepHeaders(b *testing.B) {
	h := readRecorded(b)[0].header()
	b.ReportAllocs()
	for b.Loop() {
		KeepHeaders(h)
	}
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
