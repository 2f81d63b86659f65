package edge

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/world"
)

// cacheStatus is how an answer came about.
type cacheStatus string

const (
	hit       cacheStatus = "hit"
	miss      cacheStatus = "miss"
	bypass    cacheStatus = "bypass" // may not be kept
	failed    cacheStatus = "error"  // made by the edge itself
	generated cacheStatus = ""       // not from a cache at all
)

// sign puts the headers on an answer by which CDN, POP and cache status of the
// real one are known.
func (e *Edge) sign(h http.Header, status cacheStatus, age time.Duration) {
	if status == hit {
		h.Set("Age", fmt.Sprint(int(age.Seconds())))
	}
	if e.altSvc != "" {
		h.Set("Alt-Svc", e.altSvc)
	}
	switch e.cdn.Style {
	case world.CloudFront:
		e.signCloudFront(h, status)
	case world.Fastly:
		e.signFastly(h, status)
	case world.Cloudflare:
		e.signCloudflare(h, status)
	}
}

func (e *Edge) signCloudFront(h http.Header, status cacheStatus) {
	words := map[cacheStatus]string{hit: "Hit", miss: "Miss", bypass: "Miss", failed: "Error", generated: "FunctionGeneratedResponse"}
	h.Set("X-Cache", words[status]+" from cloudfront")
	h.Set("Via", "1.1 "+e.node+".cloudfront.net (CloudFront)")
	h.Set("X-Amz-Cf-Pop", e.pop.Code+"50-C1")
	h.Set("X-Amz-Cf-Id", base64.URLEncoding.EncodeToString(random(40)))
}

// signFastly says MISS of what may not be kept, as Fastly does.
func (e *Edge) signFastly(h http.Header, status cacheStatus) {
	word, hits := "MISS", "0"
	if status == hit {
		word, hits = "HIT", "1"
	}
	h.Set("X-Cache", word)
	h.Set("X-Cache-Hits", hits)
	h.Set("Via", "1.1 varnish")
	h.Set("X-Served-By", fmt.Sprintf("cache-%s%s-%s", strings.ToLower(e.pop.Code), "10428", e.pop.Code))
	now := time.Now()
	h.Set("X-Timer", fmt.Sprintf("S%d.%06d,VS0,VE0", now.Unix(), now.Nanosecond()/1000))
}

func (e *Edge) signCloudflare(h http.Header, status cacheStatus) {
	h.Set("Server", "cloudflare")
	h.Set("CF-Ray", hex.EncodeToString(random(8))+"-"+e.pop.Code)
	switch status {
	case hit:
		h.Set("CF-Cache-Status", "HIT")
	case miss:
		h.Set("CF-Cache-Status", "MISS")
	case bypass, generated:
		h.Set("CF-Cache-Status", "DYNAMIC")
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, see crypto/rand
	return b
}
