package geo

import (
	"net/netip"
	"strings"
)

// ClientIP is the address that a request was sent from. peer is the
// connection's other end; forwarded are the values of X-Forwarded-For in
// order. They are believed from right to left for as long as the one who
// added the next is trusted; the first that is not trusted is the client.
// Without a trusted proxy, headers are ignored: anyone can send them.
func ClientIP(peer netip.Addr, forwarded []string, trusted []netip.Prefix) netip.Addr {
	addr := peer.Unmap().WithZone("")
	if len(trusted) == 0 || len(forwarded) == 0 {
		return addr
	}
	rest := strings.Join(forwarded, ",")
	for more := true; more && isTrusted(addr, trusted); {
		var last string
		if i := strings.LastIndexByte(rest, ','); i >= 0 {
			rest, last = rest[:i], rest[i+1:]
		} else {
			last, more = rest, false
		}
		next, ok := parseForwarded(strings.TrimSpace(last))
		if !ok {
			return addr
		}
		addr = next
	}
	return addr
}

// parseForwarded reads ADDR, ADDR:PORT and [ADDR]:PORT, all of which proxies
// write.
func parseForwarded(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr().Unmap().WithZone(""), err == nil
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
