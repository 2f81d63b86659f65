package lab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/firstframe/firstframe/deploy/lab/edge"
)

// listenAll opens what edges serve at: HTTPS and, at the same port, QUIC, and
// HTTP, at ports that are the same at all addresses.
func listenAll(addrs []netip.Addr) ([]edge.Sockets, error) {
	var err error
	for range 50 {
		var all []edge.Sockets
		https, http := uint16(0), uint16(0)
		for _, a := range addrs {
			var s edge.Sockets
			if s, err = listen(a, https, http); err != nil {
				break
			}
			https, http = portOf(s.Secure), portOf(s.Plain)
			all = append(all, s)
		}
		if err == nil {
			return all, nil
		}
		closeAll(all)
	}
	return nil, fmt.Errorf("no port is free at all %d edges: %w", len(addrs), err)
}

// listen opens what one edge serves at; a port of 0 is a free one.
func listen(a netip.Addr, https, http uint16) (s edge.Sockets, err error) {
	if s.Secure, err = net.Listen("tcp", netip.AddrPortFrom(a, https).String()); err != nil {
		return s, err
	}
	if s.Plain, err = net.Listen("tcp", netip.AddrPortFrom(a, http).String()); err != nil {
		s.Secure.Close()
		return s, err
	}
	if s.QUIC, err = net.ListenPacket("udp", s.Secure.Addr().String()); err != nil {
		s.Secure.Close()
		s.Plain.Close()
	}
	return s, err
}

func portOf(l net.Listener) uint16 { return l.Addr().(*net.TCPAddr).AddrPort().Port() }

func closeAll(all []edge.Sockets) {
	for _, s := range all {
		s.Secure.Close()
		s.Plain.Close()
		s.QUIC.Close()
	}
}
