package cdn

import (
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// word is the status that a word means at most CDNs; empty when it means none.
func word(s string) string {
	s = strings.ToLower(s)
	if i := strings.IndexAny(s, " /;,"); i >= 0 {
		s = s[:i]
	}
	switch strings.TrimPrefix(s, "tcp_") {
	case "hit", "mem_hit", "ims_hit", "negative_hit", "hit-fresh", "hit-front", "hit-local", "prerender":
		return run.CacheHit
	case "remote_hit", "hit-remote":
		return run.CacheHitRemote
	case "stale", "updating", "hit-stale", "hitstale", "refresh_fail_hit":
		return run.CacheStale
	case "refreshhit", "revalidated", "revalidate", "refresh_hit":
		return run.CacheRevalidated
	case "miss", "expired", "refresh_miss", "client_refresh_miss", "miss-fresh", "refreshmiss":
		return run.CacheMiss
	case "bypass", "dynamic", "pass", "uncacheable", "config_nocache", "private_nostore", "nocache", "notcacheable", "ignored":
		return run.CacheBypass
	case "error", "denied", "cookie_deny", "limitexceeded", "capacityexceeded":
		return run.CacheError
	}
	return ""
}

// lastWord is the status by the last member of a header.
func lastWord(name string) func(header) string {
	return func(h header) string { return word(h.last(name)) }
}

// firstOf is the first status that shows.
func firstOf(all ...func(header) string) func(header) string {
	return func(h header) string {
		for _, f := range all {
			if status := f(h); status != "" {
				return status
			}
		}
		return ""
	}
}

// tiers is the status by a list of words, one for each layer of one CDN,
// nearest last: a miss at the edge behind a hit is a remote hit.
func tiers(words []string) string {
	if len(words) == 0 {
		return ""
	}
	edge, behind := word(words[len(words)-1]), words[:len(words)-1]
	if edge == run.CacheMiss {
		for _, w := range behind {
			if word(w) == run.CacheHit {
				return run.CacheHitRemote
			}
		}
	}
	return edge
}

// byAge takes an Age above 0 for a hit, where the only cache is the CDN's: an
// answer that has an age came from some cache.
func byAge(h header) string {
	if age := h.get("Age"); age != "" && strings.Trim(age, "0123456789") == "" && strings.Trim(age, "0") != "" {
		return run.CacheHit
	}
	return ""
}

// cacheStatus reads Cache-Status (RFC 9211, 2): of its members the last is
// nearest to the client, and says hit, or with fwd why it went forward. A hit
// whose ttl is negative is stale (2.4). A miss behind another hit in a cache
// whose name starts with the same word is a remote hit.
func cacheStatus(h header) string {
	members := h.list("Cache-Status")
	if len(members) == 0 {
		return ""
	}
	edge, behind := members[len(members)-1], members[:len(members)-1]
	status := cacheStatusMember(edge)
	if status == run.CacheMiss {
		for _, m := range behind {
			if maker(m) == maker(edge) && cacheStatusMember(m) == run.CacheHit {
				return run.CacheHitRemote
			}
		}
	}
	return status
}

func cacheStatusMember(m string) string {
	if v, ok := param(m, "hit"); ok && (v == "" || v == "?1") {
		if ttl, _ := param(m, "ttl"); strings.HasPrefix(ttl, "-") {
			return run.CacheStale
		}
		return run.CacheHit
	}
	fwd, ok := param(m, "fwd")
	if !ok {
		return ""
	}
	from, _ := param(m, "fwd-status")
	switch {
	case fwd == "bypass" || fwd == "method":
		return run.CacheBypass
	case fwd == "stale" && from == "304":
		return run.CacheRevalidated
	}
	return run.CacheMiss // uri-miss, vary-miss, miss, request, stale, partial
}

// maker is the first word of the cache's name in lower case: "Netlify Edge" and
// "Netlify Durable" are of one maker.
func maker(member string) string {
	n, _, _ := strings.Cut(member, ";")
	n = strings.ToLower(strings.Trim(strings.TrimSpace(n), `"`))
	if i := strings.IndexAny(n, " -"); i >= 0 {
		n = n[:i]
	}
	return n
}
