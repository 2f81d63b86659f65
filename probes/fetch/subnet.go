package fetch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	optionSubnet = 8    // EDNS client subnet, RFC 7871 section 6
	payloadSize  = 1232 // of answers over UDP, as package net asks for
)

var errNoQuery = errors.New("not a DNS query")

// withSubnet is the DNS query with the option that asks for what clients in the
// network are told (RFC 7871). Another such option is replaced.
func withSubnet(query []byte, subnet netip.Prefix) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoQuery, err)
	}
	opt := (*dnsmessage.OPTResource)(nil)
	for i := range m.Additionals {
		if o, ok := m.Additionals[i].Body.(*dnsmessage.OPTResource); ok {
			opt = o
		}
	}
	if opt == nil {
		opt = &dnsmessage.OPTResource{}
		var h dnsmessage.ResourceHeader
		if err := h.SetEDNS0(payloadSize, dnsmessage.RCodeSuccess, false); err != nil {
			return nil, err
		}
		m.Additionals = append(m.Additionals, dnsmessage.Resource{Header: h, Body: opt})
	}
	options := []dnsmessage.Option{{Code: optionSubnet, Data: subnetData(subnet)}}
	for _, o := range opt.Options {
		if o.Code != optionSubnet {
			options = append(options, o)
		}
	}
	opt.Options = options
	return m.Pack()
}

// subnetData is the option's content: family, source prefix length, scope
// prefix length (0 in queries), and as many bytes of the address as the prefix
// needs, the bits behind it 0.
func subnetData(p netip.Prefix) []byte {
	p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()).Masked()
	family := uint16(1)
	if p.Addr().Is6() {
		family = 2
	}
	data := binary.BigEndian.AppendUint16(nil, family)
	data = append(data, byte(p.Bits()), 0)
	return append(data, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
}

// subnetScope is the scope of a DNS answer with the option: for how much of the
// network it holds, in bits. 0 says that it holds for all the world; ok is false
// where the answer has no such option, so that nobody has looked at it.
func subnetScope(message []byte) (bits int, ok bool) {
	var m dnsmessage.Message
	if m.Unpack(message) != nil {
		return 0, false
	}
	for i := range m.Additionals {
		o, isOPT := m.Additionals[i].Body.(*dnsmessage.OPTResource)
		if !isOPT {
			continue
		}
		for _, option := range o.Options {
			if option.Code == optionSubnet && len(option.Data) >= 4 {
				return int(option.Data[3]), true
			}
		}
	}
	return 0, false
}
