package cdn

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firstframe/firstframe/probes/run"
)

// parse is headers as "Name: value" in lines.
func parse(lines string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if k, v, ok := strings.Cut(line, ": "); ok {
			h.Add(k, v)
		}
	}
	return h
}

func TestIdentifyByNames(t *testing.T) {
	const fastly = "X-Served-By: cache-bom1-BOM\nX-Cache: HIT"
	for _, tt := range []struct {
		name, headers, chain string
		want                 Identity
	}{
		{"no signature", "Server: nginx", "media.example a.akamaized.net a1.w10.akamai.net", Identity{CDN: "akamai", Cache: run.CacheUnknown}},
		{"no answer", "", "media.example d1.cloudfront.net", Identity{CDN: "cloudfront", Cache: run.CacheUnknown}},
		{"the host itself", "", "D1.CloudFront.net.", Identity{CDN: "cloudfront", Cache: run.CacheUnknown}},
		{"a name that only ends so", "", "notcloudfront.net", Identity{Cache: run.CacheUnknown}},
		{"the zone as a part of another", "", "cloudfront.net.example.com", Identity{Cache: run.CacheUnknown}},
		{"the last counts", "", "a.azureedge.net b.fastly.net", Identity{CDN: "fastly", Cache: run.CacheUnknown}},
		{"what follows is no CDN's", "", "h.example d1.cloudfront.net x.example", Identity{CDN: "cloudfront", Cache: run.CacheUnknown}},
		{"what only directs", "", "h.example h.akadns.net", Identity{Cache: run.CacheUnknown}},
		{"Qwilt, which shows in nothing else", "X-Cache: HIT", "h.example a.qwilted-cds.cqloud.com", Identity{CDN: "qwilt", Cache: run.CacheHit}},
		{"Alibaba has many zones", "", "h.example h.example.w.kunlunaq.com", Identity{CDN: "alibaba", Cache: run.CacheUnknown}},
		{"not its", "", "h.kunlunmountains.com", Identity{Cache: run.CacheUnknown}},
		{"EdgeOne", "", "h.example h.example.eo.dnse1.com", Identity{CDN: "tencent", Cache: run.CacheUnknown}},
		{"the same as the headers", fastly, "h.example x.map.fastly.net", Identity{"fastly", "BOM", "IN", "Mumbai", run.CacheHit}},
		{"the headers are those of what is behind", fastly, "h.example h.edgekey.net e1.a.akamaiedge.net", Identity{CDN: "akamai", Cache: run.CacheUnknown}},
		{"CloudFront in front of Cloudflare", "Cf-Ray: 1-NRT\nCf-Cache-Status: HIT\nX-Amz-Cf-Pop: GRU3-P2\nX-Cache: Miss from cloudfront", "h.example d1.cloudfront.net", Identity{"cloudfront", "GRU3-P2", "BR", "São Paulo", run.CacheMiss}},
		{"Cloudflare in front of CloudFront", "Cf-Ray: 1-NRT\nCf-Cache-Status: HIT\nX-Amz-Cf-Pop: GRU3-P2\nX-Cache: Miss from cloudfront", "h.example h.example.cdn.cloudflare.net", Identity{"cloudflare", "NRT", "JP", "Tokyo", run.CacheHit}},
		{"names of nobody", fastly, "h.example x.switch.example", Identity{"fastly", "BOM", "IN", "Mumbai", run.CacheHit}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Identify(parse(tt.headers), strings.Fields(tt.chain)...)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Every zone is a CDN's that has a rule, but for one whose headers show nothing.
func TestZones(t *testing.T) {
	known := map[string]bool{"qwilt": true}
	for _, rules := range [...][]rule{vendors, asian} {
		for i := range rules {
			known[rules[i].name] = true
		}
	}
	if len(cdnOfZone) < 50 {
		t.Errorf("%d zones", len(cdnOfZone))
	}
	for zone, name := range cdnOfZone {
		if !known[name] || zone != strings.ToLower(zone) || !strings.Contains(zone, ".") {
			t.Errorf("%s of %s", zone, name)
		}
	}
}

// Where layers contradict each other, the one that wrote last is the nearest.
func TestLayers(t *testing.T) {
	const azure = "X-Azure-Ref: 20260128T051445Z-15f8bd58b94hwsb7hC1FRA6pv800000\n"
	for _, tt := range []struct {
		name, headers string
		want          Identity
	}{
		{"Fastly in front of S3", "X-Amz-Request-Id: 1\nX-Amz-Id-2: a\nServer: AmazonS3\nVia: 1.1 varnish\nX-Served-By: cache-bom1-BOM\nX-Cache: HIT", Identity{"fastly", "BOM", "IN", "Mumbai", run.CacheHit}},
		{"Fastly in front of Azure", azure + "X-Cache: TCP_HIT, MISS\nX-Served-By: cache-bom1-BOM", Identity{"fastly", "BOM", "IN", "Mumbai", run.CacheMiss}},
		{"Azure in front of Fastly", azure + "X-Served-By: cache-bom1-BOM\nX-Cache: MISS, TCP_HIT", Identity{"azure", "FRA", "DE", "Frankfurt", run.CacheHit}},
		{"Azure in front of CloudFront", azure + "X-Amz-Cf-Pop: GRU3-P2\nX-Cache: Miss from cloudfront\nX-Cache: TCP_MISS", Identity{"azure", "FRA", "DE", "Frankfurt", run.CacheMiss}},
		{"CloudFront in front of Azure", azure + "X-Amz-Cf-Pop: GRU3-P2\nX-Cache: TCP_MISS\nX-Cache: Hit from cloudfront", Identity{"cloudfront", "GRU3-P2", "BR", "São Paulo", run.CacheHit}},
		{"Fastly in front of Akamai's storage", "Server: AkamaiNetStorage\nX-Served-By: cache-bom1-BOM\nX-Cache: HIT", Identity{"fastly", "BOM", "IN", "Mumbai", run.CacheHit}},
		{"Akamai's storage", "Server: AkamaiNetStorage", Identity{CDN: "akamai", Cache: run.CacheUnknown}},
		{"Fastly by its timer", "Via: 1.1 varnish\nX-Timer: S1700000000.123456,VS0,VE1\nX-Cache: HIT", Identity{CDN: "fastly", Cache: run.CacheHit}},
		{"Cloudflare in front of Vercel", "Server: cloudflare\nCf-Ray: 1-GRU\nX-Vercel-Id: iad1::a\nX-Vercel-Cache: HIT\nCf-Cache-Status: DYNAMIC", Identity{"cloudflare", "GRU", "BR", "São Paulo", run.CacheBypass}},
		{"Google in front of CloudFront", "Via: 1.1 a.cloudfront.net (CloudFront), 1.1 google\nX-Amz-Cf-Pop: GRU3-P2\nX-Cache: Hit from cloudfront\nX-Cache-Status: miss", Identity{CDN: "google", Cache: run.CacheMiss}},
		{"Google in front of Fastly", "Via: 1.1 varnish, 1.1 google\nX-Served-By: cache-bom1-BOM\nX-Cache-Hit: hit\nX-Cache-Id: maa-132eed13faa13", Identity{"google", "maa", "IN", "Chennai", run.CacheHit}},
		{"Fastly in front of Google's storage", "Via: 1.1 google\nVia: 1.1 varnish\nX-Served-By: cache-bom1-BOM\nX-Cache: MISS", Identity{"fastly", "BOM", "IN", "Mumbai", run.CacheMiss}},
		{"CloudFront in front of Google", "Via: 1.1 google, 1.1 a.cloudfront.net (CloudFront)\nX-Amz-Cf-Pop: GRU3-P2\nX-Cache: Miss from cloudfront", Identity{"cloudfront", "GRU3-P2", "BR", "São Paulo", run.CacheMiss}},
		{"CloudFront in front of Fastly, by Via alone", "Via: 1.1 varnish, 1.1 a.cloudfront.net (CloudFront)\nX-Served-By: cache-bom1-BOM\nX-Amz-Cf-Pop: GRU3-P2", Identity{"cloudfront", "GRU3-P2", "BR", "São Paulo", run.CacheUnknown}},
		{"Fastly in front of CloudFront, by X-Cache alone", "X-Served-By: cache-bom1-BOM\nVia: 1.1 a.cloudfront.net (CloudFront)\nX-Amz-Cf-Pop: GRU3-P2\nX-Cache: Miss from cloudfront\nX-Cache: HIT", Identity{"fastly", "BOM", "IN", "Mumbai", run.CacheHit}},
		{"Akamai in front of Fastly", "Akamai-Grn: 0.1\nServer-Timing: cdn-cache; desc=MISS\nVia: 1.1 varnish\nX-Served-By: cache-bom1-BOM\nX-Cache: HIT", Identity{CDN: "akamai", Cache: run.CacheMiss}},
		{"Akamai in front of storage", "Server: AmazonS3\nX-Amz-Id-2: a\nServer-Timing: cdn-cache; desc=HIT\nServer-Timing: edge; dur=1", Identity{CDN: "akamai", Cache: run.CacheHit}},
		{"Bunny in front of Varnish", "Server: BunnyCDN-DE1-756\nVia: 1.1 varnish (Varnish/6.0)\nX-Varnish: 1 2\nCDN-Cache: MISS", Identity{"bunny", "DE1", "DE", "", run.CacheMiss}},
		{"CloudFront in front of nginx", "Server: nginx\nX-Proxy-Cache: HIT\nX-Cache: Miss from cloudfront\nX-Amz-Cf-Pop: GRU3-P2", Identity{"cloudfront", "GRU3-P2", "BR", "São Paulo", run.CacheMiss}},
		{"Apple in an access network, in front of CloudFront", "X-Cache: Hit from cloudfront, hit-fresh, hit-fresh, none, hit-fresh, miss, none, miss, none\nVia: 1.1 a.cloudfront.net (CloudFront), http/1.1 nlams2-edge-bx-013.ts.apple.com (acdn/288.16361), http/1.1 proximus-bebru1a-fe-002.ec.edge.apple (acdn/260.16276)\nX-Amz-Cf-Pop: AMS58-P4", Identity{"apple", "proximus-bebru1a-fe-002", "BE", "", run.CacheHitRemote}},
		{"Fastly in front of CloudFront, two nodes", "X-Amz-Cf-Pop: IAD89-P1\nX-Served-By: cache-iad-kiad7000028-IAD, cache-lin1730072-LIN\nX-Cache: Miss from cloudfront, HIT, HIT\nX-Timer: S1736326272.410959,VS0,VE1", Identity{"fastly", "LIN", "IT", "Milan", run.CacheHit}},
		{"Cloudflare in front of Fastly", "Server: cloudflare-nginx\nCF-Ray: 3651e77c68d96bfe-SJC\nVia: 1.1 varnish\nX-Served-By: cache-sjc3646-SJC\nX-Cache: HIT", Identity{"cloudflare", "SJC", "US", "San Jose", run.CacheUnknown}},
		{"Gcore by its node", "X-ID: fr5-hw-edge-gc1\nCache: HIT", Identity{"gcore", "fr5-hw-edge-gc1", "", "", run.CacheHit}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Identify(parse(tt.headers))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Each CDN is known by less than all of its headers: customers take some away.
func TestMissingParts(t *testing.T) {
	for _, tt := range []struct {
		name, headers string
		want          Identity
	}{
		{"Akamai, stale", "Akamai-Cache-Status: HitStale from child", Identity{CDN: "akamai", Cache: run.CacheStale}},
		{"Akamai, confirmed", "X-My-Cache: RefreshHit from child, Miss from parent", Identity{CDN: "akamai", Cache: run.CacheRevalidated}},
		{"Akamai, made at the edge", "X-My-Cache: Constructed from child", Identity{CDN: "akamai", Cache: run.CacheUnknown}},
		{"Akamai, hops in lines, with tabs", "Akamai-Request-Bc: [a=23.1,\tn=US_CA_SANDIEGO\t,o=20940]\nAkamai-Request-Bc: [a=2,n=US_VA_ASHBURN]", Identity{"akamai", "US_CA_SANDIEGO", "US", "San Diego", run.CacheUnknown}},
		{"Akamai's debug words", "X-Cache: TCP_REFRESH_FAIL_HIT from a.deploy.akamaitechnologies.com (AkamaiGHost/1) (-)", Identity{CDN: "akamai", Cache: run.CacheStale}},
		{"Akamai's debug words in short", "X-Cache: TCP_MISS from AkamaiGHost (AkamaiIO)\nX-Check-Cacheable: YES", Identity{CDN: "akamai", Cache: run.CacheMiss}},
		{"Akamai, not to be kept", "Akamai-Cache-Status: NotCacheable from child", Identity{CDN: "akamai", Cache: run.CacheBypass}},
		{"CloudFront by X-Cache", "X-Cache: RefreshHit from cloudfront", Identity{CDN: "cloudfront", Cache: run.CacheRevalidated}},
		{"CloudFront by its server's name", "Server: CloudFront", Identity{CDN: "cloudfront", Cache: run.CacheUnknown}},
		{"Cloudflare by Server-Timing", "Server-Timing: cfCacheStatus;desc=\"HIT\", cfEdge;dur=4", Identity{CDN: "cloudflare", Cache: run.CacheHit}},
		{"Cloudflare without a place", "CF-Ray: 69f8914218ec0c42\nCF-Cache-Status: HIT", Identity{CDN: "cloudflare", Cache: run.CacheHit}},
		{"Azure by its older reference", "X-MSEdge-Ref: Ref A: 3C5F Ref B: FRAEDGE1520 Ref C: 2026-01-28T05:14:45Z\nX-Cache: TCP_REMOTE_HIT", Identity{"azure", "FRAEDGE1520", "DE", "Frankfurt", run.CacheHitRemote}},
		{"Azure's shield", "X-Azure-Ref-OriginShield: 0MlAkYAAAAACtEkUH8vEbTIFoZe4xuRLOU0pDRURHRTA1MDgAZDM0ZjBhNGUtMjc4\nX-Cache: TCP_MISS", Identity{CDN: "azure", Cache: run.CacheMiss}},
		{"Bunny behind another server's name", "Server: mine\nCDN-RequestId: 8a\nCDN-Cache: STALE", Identity{CDN: "bunny", Cache: run.CacheStale}},
		{"Gcore, a miss", "X-ID: m9-up-e245\nCache: MISS", Identity{CDN: "gcore", POP: "m9-up-e245", Cache: run.CacheMiss}},
		{"Gcore by another name of its node's", "Server: nginx\nCache: HIT\nX-Cached-Since: 2024-07-03T09:47:49+00:00\nX-Node: m9-up-gc99", Identity{CDN: "gcore", POP: "m9-up-gc99", Cache: run.CacheHit}},
		{"Azion by its request's id", "X-Azion-Request-Id: e217d28c", Identity{CDN: "azion", Cache: run.CacheUnknown}},
		{"Akamai, revalidated", "Server-Timing: cdn-cache; desc=REVALIDATE, edge; dur=28, origin; dur=1077", Identity{CDN: "akamai", Cache: run.CacheRevalidated}},
		{"Akamai to an origin over two hops", "Akamai-Request-BC: [a=188.210.40.197,b=501999255,c=g,n=DE_SL_SAARLOUIS,o=42652],[a=197,c=o]", Identity{CDN: "akamai", POP: "DE_SL_SAARLOUIS", POPCountry: "DE", Cache: run.CacheMiss}},
		{"EdgeOne in Tencent's words", "Server: edgeone makers\nEO-Cache-Status: Cache Hit", Identity{CDN: "tencent", Cache: run.CacheHit}},
		{"GoCache by Server-Timing", "Server-Timing: x-gocache-cache-status;desc=HIT", Identity{CDN: "gocache", Cache: run.CacheHit}},
		{"KeyCDN behind another server's name", "Server: mine\nX-Edge-Location: usmi\nX-Cache: EXPIRED", Identity{CDN: "keycdn", POP: "usmi", POPCountry: "US", Cache: run.CacheMiss}},
		{"Netlify by its server's name", "Server: Netlify", Identity{CDN: "netlify", Cache: run.CacheUnknown}},
		{"Vercel by its server's name", "Server: Vercel\nX-Cache: HIT", Identity{CDN: "vercel", Cache: run.CacheUnknown}},
		{"Wikimedia by its nodes", "X-Cache: cp1081 hit, cp3052 miss", Identity{CDN: "wikimedia", POP: "cp3052", POPCountry: "NL", Cache: run.CacheHitRemote}},
		{"Media CDN by its server's name", "Server: Google-Edge-Cache\nCDN-Cache-Status: hit,stale\nCDN-Cache-Id: FRA-0ab12cd34", Identity{"google", "FRA", "DE", "Frankfurt", run.CacheStale}},
		{"Google over another version", "Via: 2 Google\nAge: 3", Identity{CDN: "google", Cache: run.CacheHit}},
		{"Alibaba by its nodes", "Via: cache14.l2cm12[18,302-0,M], cache13.cn1300[113,302-0,M], cache3.cn1300[115,0]", Identity{CDN: "alibaba", POP: "cache3.cn1300", POPCountry: "CN", Cache: run.CacheMiss}},
		{"Tencent by its words", "X-Cache-Lookup: Hit From MemCache", Identity{CDN: "tencent", Cache: run.CacheHit}},
		{"Tencent, two layers in one line", "X-Cache-Lookup: Hit From Disktank3, Hit From Inner Cluster\nServer: NWS_VP", Identity{CDN: "tencent", Cache: run.CacheHit}},
		{"Tencent, layers that differ in one line", "X-Cache-Lookup: Hit From Upstream, Hit From Inner Cluster", Identity{CDN: "tencent", Cache: run.CacheUnknown}},
		{"EdgeOne by its server's name", "Server: TencentEdgeOne", Identity{CDN: "tencent", Cache: run.CacheUnknown}},
		{"a standard status of a CDN's own", "X-77-Pop: frankfurtDE\nCache-Status: CDN77-Turbo; hit", Identity{"cdn77", "frankfurtDE", "DE", "Frankfurt", run.CacheHit}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := parse(tt.headers)
			if diff := cmp.Diff(tt.want, Identify(h)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, Identify(again(KeepHeaders(h)))); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			lower := http.Header{}
			for k, v := range h {
				lower[strings.ToLower(k)] = v
			}
			if diff := cmp.Diff(tt.want, Identify(lower)); diff != "" {
				t.Errorf("names in lower case (-want +got):\n%s", diff)
			}
		})
	}
}

// What is nobody's that has a rule has no name, however much it looks like one.
func TestUnknownHasNoName(t *testing.T) {
	for name, headers := range map[string]string{
		"Imperva":                     "X-Cdn: Imperva\nX-Iinfo: 12-1-2 NNNN CT",
		"Sucuri":                      "Server: Sucuri/Cloudproxy\nX-Sucuri-Id: 18005\nX-Sucuri-Cache: HIT",
		"Fly":                         "Server: Fly/1 (2024)\nVia: 1.1 fly.io\nFly-Request-Id: 01H-fra",
		"Huawei":                      "X-Hcs-Proxy-Type: 1\nX-Ccdn-Cachettl: 3600\nVia: CHN-JSxuzhou-1.CDN.example",
		"Baidu":                       "Ohc-Cache-Hit: cd4un82 [2]\nOhc-File-Size: 1\nX-Cache-Status: HIT",
		"OVH":                         "X-Cdn-Pop: sbg\nX-Cacheable: Cacheable\nX-Iplb-Instance: 1",
		"a Varnish called cache-1":    "X-Served-By: cache-1\nX-Cache: HIT",
		"nodes in lower case":         "X-Served-By: cache-a-b-fra\nX-Cache: HIT",
		"a place of others":           "X-Edge-Location: zzzz\nX-Cache: HIT",
		"a reverse proxy's Via":       "Via: cache1.example[1.2.3.4]",
		"an X-ID":                     "X-ID: 8f14e45f-ceea\nCache: HIT",
		"an X-Amz header of storage":  "Server: AmazonS3\nX-Amz-Request-Id: 1\nX-Amz-Id-2: a",
		"a load balancer of Amazon":   "Server: awselb/2.0",
		"Google without a proxy":      "Server: Google Frontend\nX-Cloud-Trace-Context: 1",
		"Tengine":                     "Server: Tengine",
		"Squid":                       "X-Cache: HIT from proxy.example\nX-Cache-Lookup: HIT from proxy.example:3128\nVia: 1.1 proxy.example (squid/5.2)",
		"Azure's storage":             "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0\nX-Ms-Request-Id: 1",
		"the client's own name in it": "Server: my-cloudflare-like\nVia: 1.1 google.example",
	} {
		if got := Identify(parse(headers)); got.CDN != "" || got.POP != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Spelling and what else is there change nothing: names in another case, a list
// in one line in place of several (RFC 9110, 5.3), headers that are nobody's.
func TestSpellingDoesNotMatter(t *testing.T) {
	lists := []string{"Via", "X-Cache", "X-Served-By", "Cache-Status", "Server-Timing", "X-Amz-Cf-Pop"}
	for _, r := range readRecorded(t) {
		plain := Identify(r.header())
		other := http.Header{"X-Request-Id": {"1"}, "Content-Type": {"video/mp4"}, "X-Pop": {"FRA"}}
		for _, kv := range r.Headers {
			other.Add(strings.ToUpper(kv[0]), " "+kv[1]+" ")
		}
		for _, name := range lists {
			if lines := other[name]; len(lines) > 1 {
				other[name] = []string{strings.Join(lines, " , ")}
			}
		}
		if diff := cmp.Diff(plain, Identify(other)); diff != "" {
			t.Errorf("%s (-as recorded +spelt otherwise):\n%s", r.ID, diff)
		}
	}
}
