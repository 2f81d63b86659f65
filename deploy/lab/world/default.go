package world

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// places are where agents and POPs are. Those of POPs go by IATA code.
var places = map[string]Place{
	"GRU": {"São Paulo", "SP", "São Paulo", -23.55, -46.63},
	"GIG": {"Rio de Janeiro", "RJ", "Rio de Janeiro", -22.91, -43.17},
	"MIA": {"Miami", "FL", "Florida", 25.76, -80.19},
	"IAD": {"Ashburn", "VA", "Virginia", 39.04, -77.49},
	"LAX": {"Los Angeles", "CA", "California", 34.05, -118.24},
	"FRA": {"Frankfurt am Main", "HE", "Hesse", 50.11, 8.68},
	"LHR": {"London", "ENG", "England", 51.51, -0.13},
	"BOM": {"Mumbai", "MH", "Maharashtra", 19.08, 72.88},
	"DEL": {"New Delhi", "DL", "Delhi", 28.61, 77.21},
	"NRT": {"Tokyo", "13", "Tokyo", 35.68, 139.69},
	"KIX": {"Osaka", "27", "Osaka", 34.69, 135.50},
	"JNB": {"Johannesburg", "GP", "Gauteng", -26.20, 28.05},
	"CPT": {"Cape Town", "WC", "Western Cape", -33.92, 18.42},
}

var popCountry = map[string]string{
	"GRU": "BR", "GIG": "BR", "MIA": "US", "IAD": "US", "LAX": "US", "FRA": "DE", "LHR": "GB",
	"BOM": "IN", "DEL": "IN", "NRT": "JP", "KIX": "JP", "JNB": "ZA", "CPT": "ZA",
}

// Default is the world of the demo: 7 countries with 16 agents, three CDNs
// with 17 POPs, two versions of one app and another app. The origin is in Virginia.
func Default() *World {
	w := &World{Domain: "lab.example"}
	for _, c := range []struct {
		code, name, place string
		access            time.Duration
		kbps              int
		networks          []Network
		each              int // agents per network
	}{
		{"BR", "Brazil", "GRU", 12 * time.Millisecond, 25_000, []Network{{ASN: 28573, Org: "Claro NXT Telecomunicacoes"}, {ASN: 27699, Org: "Telefonica Brasil"}}, 2},
		{"US", "United States", "IAD", 9 * time.Millisecond, 80_000, []Network{{ASN: 7922, Org: "Comcast Cable Communications"}, {ASN: 701, Org: "Verizon Business"}}, 1},
		{"DE", "Germany", "FRA", 11 * time.Millisecond, 50_000, []Network{{ASN: 3320, Org: "Deutsche Telekom"}, {ASN: 3209, Org: "Vodafone"}}, 1},
		{"IN", "India", "BOM", 18 * time.Millisecond, 15_000, []Network{{ASN: 55836, Org: "Reliance Jio Infocomm"}, {ASN: 24560, Org: "Bharti Airtel"}}, 1},
		{"JP", "Japan", "NRT", 6 * time.Millisecond, 90_000, []Network{{ASN: 4713, Org: "NTT Communications"}, {ASN: 2516, Org: "KDDI"}}, 1},
		{"GB", "United Kingdom", "LHR", 10 * time.Millisecond, 60_000, []Network{{ASN: 2856, Org: "British Telecommunications"}, {ASN: 5089, Org: "Virgin Media"}}, 1},
		{"ZA", "South Africa", "JNB", 15 * time.Millisecond, 20_000, []Network{{ASN: 3741, Org: "Internet Solutions"}, {ASN: 16637, Org: "MTN"}}, 1},
	} {
		country := Country{Code: c.code, Name: c.name, Place: places[c.place], Access: c.access, Kbps: c.kbps,
			DNS: c.access, Networks: c.networks}
		second := byte(10 + len(w.Countries))
		for i := range country.Networks {
			n := &country.Networks[i]
			n.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, second, byte(i), 0}), 24)
			for k := range c.each {
				n.Agents = append(n.Agents, Agent{
					Name: fmt.Sprintf("%s-as%d-%d", strings.ToLower(c.code), n.ASN, k+1),
					Addr: netip.AddrFrom4([4]byte{127, second, byte(i), byte(10 + k)}),
				})
			}
		}
		w.Countries = append(w.Countries, country)
	}
	w.addCDN(CDN{Name: "cdn-a", Style: CloudFront, ASN: 16509, Org: "Amazon.com"}, "GRU", "MIA", "FRA", "LHR", "BOM", "NRT")
	w.addCDN(CDN{Name: "cdn-b", Style: Fastly, ASN: 54113, Org: "Fastly"}, "GRU", "MIA", "LHR", "BOM", "NRT", "JNB")
	w.addCDN(CDN{Name: "cdn-c", Style: Cloudflare, ASN: 13335, Org: "Cloudflare"}, "GIG", "IAD", "FRA", "DEL", "KIX", "CPT")
	codecs := []string{"avc1", "mp4a"}
	w.Apps = []App{
		{Name: "web", Version: "2.0.0", Player: "hlsjs", Codecs: codecs},
		{Name: "web", Version: "2.1.0", Player: "hlsjs", Codecs: codecs, Set: map[string]float64{"start_kbps": 2000}},
		{Name: "tv", Version: "1.0.0", Player: "ideal", Codecs: codecs},
	}
	return w
}

func (w *World) addCDN(c CDN, codes ...string) {
	second := byte(100 + len(w.CDNs))
	for i, code := range codes {
		far := distance(places["IAD"], places[code]) * 1.5 * 2 / 200 // ms, as in Path
		c.POPs = append(c.POPs, POP{
			Code: code, Country: popCountry[code], Place: places[code],
			Addr:   netip.AddrFrom4([4]byte{127, second, byte(i + 1), 1}),
			Dead:   netip.AddrFrom4([4]byte{127, second, byte(i + 1), 254}),
			Origin: time.Duration(2+far) * time.Millisecond,
		})
	}
	w.CDNs = append(w.CDNs, c)
}
