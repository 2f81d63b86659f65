package main

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"github.com/firstframe/firstframe/probes"
)

// networkFlags say how requests leave this machine. They are the same for a
// laptop and for a fleet.
type networkFlags struct {
	Bind         string   `help:"Source address of every connection." placeholder:"ADDR"`
	Resolver     string   `help:"DNS server to ask in place of the system's." placeholder:"HOST[:PORT]"`
	ECS          string   `name:"ecs" help:"Network to ask DNS for in place of this machine's, to see which edge its clients are sent to (EDNS client subnet). Needs a resolver that passes it on." placeholder:"PREFIX"`
	IP           int      `name:"ip" help:"Only IPv4 (4) or only IPv6 (6)." enum:"0,4,6" default:"0" placeholder:"4|6"`
	CA           string   `name:"ca" help:"Certificates to trust, PEM, in place of the system's." type:"existingfile" placeholder:"FILE"`
	Insecure     bool     `help:"Accept any certificate."`
	AllowPrivate bool     `help:"Allow private, loopback and link-local addresses."`
	ConnectTo    []string `help:"Dial ADDR for HOST, keeping name and SNI. Repeatable." placeholder:"HOST:ADDR" sep:"none"`
}

// network is what the flags say. The error is the user's.
func (f *networkFlags) network() (probes.Network, error) {
	n := probes.Network{IPVersion: f.IP, Insecure: f.Insecure, AllowPrivate: f.AllowPrivate}
	if f.Bind != "" {
		addr, err := netip.ParseAddr(f.Bind)
		if err != nil {
			return n, usageError{fmt.Errorf("--bind %q: want an IP address", f.Bind)}
		}
		n.Bind = addr
	}
	if f.Resolver != "" {
		n.Resolver = f.Resolver
		if _, _, err := net.SplitHostPort(f.Resolver); err != nil {
			n.Resolver = net.JoinHostPort(strings.Trim(f.Resolver, "[]"), "53")
		}
	}
	if f.ECS != "" {
		prefix, err := netip.ParsePrefix(f.ECS)
		if err != nil {
			return n, usageError{fmt.Errorf("--ecs %q: want a network such as 200.147.3.0/24", f.ECS)}
		}
		n.ClientSubnet = prefix.Masked()
	}
	for _, pair := range f.ConnectTo {
		host, addr, err := splitConnectTo(pair)
		if err != nil {
			return n, err
		}
		if n.ConnectTo == nil {
			n.ConnectTo = map[string]string{}
		}
		n.ConnectTo[host] = addr
	}
	if f.CA != "" {
		pool, err := readCA(f.CA)
		if err != nil {
			return n, err
		}
		n.RootCAs = pool
	}
	return n, nil
}

// splitConnectTo reads HOST:ADDR and HOST:ADDR:PORT, where an IPv6 ADDR stands
// in brackets when a port follows.
func splitConnectTo(pair string) (host, addr string, err error) {
	host, addr, ok := strings.Cut(pair, ":")
	if ok && host != "" {
		if _, err := netip.ParseAddr(addr); err == nil {
			return host, addr, nil
		}
		if _, err := netip.ParseAddrPort(addr); err == nil {
			return host, addr, nil
		}
	}
	return "", "", usageError{fmt.Errorf("--connect-to %q: want HOST:ADDR or HOST:ADDR:PORT, such as cdn.example:203.0.113.7", pair)}
}

func readCA(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, usageError{fmt.Errorf("--ca %s: no certificate in PEM form in it", file)}
	}
	return pool, nil
}

// headers reads K:V pairs.
func headers(pairs []string) (http.Header, error) {
	h := http.Header{}
	for _, pair := range pairs {
		k, v, ok := strings.Cut(pair, ":")
		if k = strings.TrimSpace(k); !ok || k == "" {
			return nil, usageError{fmt.Errorf("--header %q: want NAME:VALUE", pair)}
		}
		h.Add(k, strings.TrimSpace(v))
	}
	return h, nil
}
