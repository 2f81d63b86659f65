package cdn

import (
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// isAkamai knows Akamai's own headers and metrics, its servers' name, and the
// status that its customers call as they like.
func isAkamai(h header) bool {
	return h.timed("cdn-cache", "ak_p") || h.has( // CloudFront's metrics are cdn-cache-hit, …
		"Akamai-Grn", "Akamai-Request-Bc", "Akamai-Cache-Status", "X-Akamai-Transformed", "X-Akamai-Request-Id") ||
		h.contains("Server", "akamaighost") || h.contains("Via", "akamaighost") || h.contains("X-Cache", "akamai") || h.has("X-Check-Cacheable") || customersStatus(h) != ""
}

// akamaiPOP reads n= of the first hop of Akamai-Request-BC, a debug header:
// [a=…,b=…,c=g,n=US_CA_SANDIEGO,o=20940].
func akamaiPOP(h header) string {
	hops := h.list("Akamai-Request-Bc")
	if len(hops) == 0 {
		return ""
	}
	hop, _, _ := strings.Cut(hops[0], "]")
	for f := range strings.FieldsFuncSeq(hop, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '[' }) {
		if n, ok := strings.CutPrefix(f, "n="); ok {
			return n
		}
	}
	return ""
}

// akamaiTiming reads Server-Timing: cdn-cache; desc=HIT.
func akamaiTiming(h header) string {
	desc, _ := h.timing("cdn-cache")
	return word(desc)
}

// akamaiXCache reads X-Cache, a debug header: TCP_MISS from … (AkamaiGHost/…).
// Without the node's name it is another layer's.
func akamaiXCache(h header) string {
	if remote := word(h.last("X-Cache-Remote")); remote == run.CacheHit && word(h.last("X-Cache")) == run.CacheMiss {
		return run.CacheHitRemote
	}
	if l := strings.ToLower(h.last("X-Cache")); strings.Contains(l, "akamai") {
		return word(l)
	}
	return ""
}

// akamaiHops reads the letters of Akamai-Request-BC: what went to an origin
// (c=o) was in no cache.
func akamaiHops(h header) string {
	if h.contains("Akamai-Request-Bc", "c=o") {
		return run.CacheMiss
	}
	return ""
}

// customersStatus is the name of the header that says "Hit from child": the
// child is Akamai's edge, the name is the customer's choice. Among several it
// is the first by name.
func customersStatus(h header) string {
	found := ""
	for name := range h.Header {
		if h.contains(name, " from child") && (found == "" || name < found) {
			found = name
		}
	}
	return found
}

// akamaiChild reads "Hit from child" and "Miss from child, Hit from parent".
func akamaiChild(h header) string {
	name := customersStatus(h)
	if name == "" {
		return ""
	}
	child, rest, _ := strings.Cut(strings.ToLower(h.get(name)), " from child")
	status := word(child)
	if status == run.CacheMiss && strings.Contains(rest, "hit from parent") {
		return run.CacheHitRemote
	}
	return status
}
