package cdn

import "strings"

// zones are the domains in which CDNs have the names that their customers'
// point to, by the CDNs' documentation; what only directs to one or another CDN
// (akadns.net, trafficmanager.net) is not among them. In each line the name that
// [Identity] has for the CDN stands first.
const zones = `
akamai akamai.net akamaiedge.net akamaihd.net akamaized.net edgekey.net edgesuite.net akamaized-staging.net edgekey-staging.net edgesuite-staging.net srip.net
alibaba alikunlun.com alikunlun.net cdngslb.com tbcache.com
apple aaplimg.com
azion azionedge.net azioncdn.net azioncdn.com
azure azurefd.net azureedge.net t-msedge.net
baishan bsclink.cn bsgslb.cn trpcdn.net
bunny b-cdn.net
bytedance vedcdnlb.com volcenginecdn.com volccdn.com
cdn77 cdn77.net cdn77.org
cdnetworks cdngc.net gccdn.net cdnga.net cdnetworks.net wscdns.com wscloudcdn.com lxdns.com cdn20.com
cloudflare cdn.cloudflare.net
cloudfront cloudfront.net
fastly fastly.net fastlylb.net
gcore gcdn.co
gocache cdn.gocache.net
keycdn kxcdn.com
netlify netlify.app netlify.com netlifyglobalcdn.com
qwilt cqloud.com
tencent cdn.dnsv1.com cdn.dnsv1.com.cn cdntip.com dnse0.com dnse1.com dnse2.com dnse3.com dnse4.com dnse5.com
vercel vercel.app vercel-dns.com
wikimedia wikimedia.org
`

var cdnOfZone = func() map[string]string {
	of := map[string]string{}
	for line := range strings.Lines(zones) {
		if f := strings.Fields(line); len(f) > 0 {
			for _, zone := range f[1:] {
				of[zone] = f[0]
			}
		}
	}
	return of
}()

// cdnOfName is the CDN in whose domain a host's name lies, or empty.
func cdnOfName(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	for zone := name; zone != ""; _, zone, _ = strings.Cut(zone, ".") {
		if found := cdnOfZone[zone]; found != "" {
			return found
		}
		// kunlunca.com, kunlunsl.com, …: dozens
		if letters, ok := strings.CutPrefix(zone, "kunlun"); ok && strings.HasSuffix(letters, ".com") && strings.Count(letters, ".") == 1 && len(letters) <= len("xxxx.com") {
			return "alibaba"
		}
	}
	return ""
}

// cdnOfNames is the CDN to which a chain of names leads, or empty: the last that
// lies in a CDN's domain counts, because those before may direct to several.
func cdnOfNames(chain []string) string {
	for i := len(chain) - 1; i >= 0; i-- {
		if found := cdnOfName(chain[i]); found != "" {
			return found
		}
	}
	return ""
}
