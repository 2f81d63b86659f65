package fetch

import (
	"encoding/binary"
	"net/netip"
)

// blocked are the addresses that are not the public Internet's: the IANA
// special-purpose registries (RFC 6890 and its updates) and the addresses at
// which clouds serve instance metadata, where these lie outside.
var blocked = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // Azure's host
	"::/127",           // unspecified, loopback
	"64:ff9b:1::/48",   // NAT64 of local use, RFC 8215
	"100::/64", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "3fff::/20", "5f00::/16",
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

// The IPv6 forms that carry an IPv4 address, with its offset in bytes; it is
// judged instead of them.
var carriers = []struct {
	netip.Prefix
	at int
}{
	{netip.MustParsePrefix("::ffff:0:0/96"), 12},   // IPv4-mapped
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated, RFC 2765
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4
}

// teredo carries its client's IPv4 address inverted (RFC 4380).
var teredo = netip.MustParsePrefix("2001::/32")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// allowed says whether the client may dial a.
func (c *Config) allowed(a netip.Addr) bool {
	if c.AllowPrivate {
		return true
	}
	plain := a.Unmap().WithZone("")
	return contains(c.AllowAddresses, plain) || public(plain)
}

// public says whether a belongs to the public Internet, in whatever form it is
// written.
func public(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	if contains(blocked, a) {
		return false
	}
	if a.Is4() {
		return true
	}
	b := a.As16()
	if teredo.Contains(a) {
		var v4 [4]byte
		binary.BigEndian.PutUint32(v4[:], ^binary.BigEndian.Uint32(b[12:]))
		return public(netip.AddrFrom4(v4))
	}
	for _, c := range carriers {
		if c.Contains(a) {
			return public(netip.AddrFrom4([4]byte(b[c.at : c.at+4])))
		}
	}
	return true
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
