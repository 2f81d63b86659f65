// Package cmcd writes Common Media Client Data, version 1 (CTA-5004): what a
// player tells a CDN of itself with each request, in headers or in one query
// argument. [Data] is what there is to say; [Data.Header] and [Data.Query] write
// it down.
//
// What a player tells with a request is its model's, in package player: the
// session, sid, is of every request though, or a CDN's log could not be joined
// with a run. With a request of which the player itself would tell nothing it goes
// in a header of the probe's own, whatever form the app has chosen: as an argument
// it would ask for another address than the player does, which a cache may not
// have; and the probe, which is no browser, sends a header without the preflight
// that it would cost there. So the times are the player's. A preflight alone has no
// session, as browsers put none of a page's headers on it: in a log it stands on the
// run's connection, before the request that it is for.
//
// Bounds: session and content ids have at most 64 characters, as the standard
// says, so has the next range; the next object's address has at most 1024 bytes; what is longer, or
// has characters that a header cannot hold, is left out.
package cmcd

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The bounds on strings.
const (
	maxID  = 64
	maxNOR = 1024
)

// Data is what one request tells. What is zero is left out; of the buffer's
// length and the deadline, which are often 0, nil is.
type Data struct {
	BR  float64        // kbit/s that the object is encoded with
	BL  *time.Duration // of media in the buffer
	BS  bool           // the buffer has run dry
	CID string         // content
	D   time.Duration  // how long the object plays
	DL  *time.Duration // until the object must be there, lest the buffer run dry
	MTP float64        // kbit/s that were measured
	NOR string         // the next object, as an address relative to this one's
	NRR string         // the bytes of it that are asked for next, such as 0-
	OT  byte           // m manifest, a audio, v video, Muxed, i init, k key, o other
	SF  byte           // d DASH, h HLS
	SID string         // session
	ST  byte           // v on demand, l live
	SU  bool           // it is needed to start playing
	TB  float64        // kbit/s of the highest rendition that may be asked for
}

// Muxed is the OT of audio and video in one: av.
const Muxed = 'M'

// header is a header's place among the fields of a request.
type header int

// The headers in which the standard sorts keys, by how often they change.
const (
	object header = iota
	request
	session
	status
)

var headers = [...]string{object: "Cmcd-Object", request: "Cmcd-Request", session: "Cmcd-Session", status: "Cmcd-Status"}

// field is a key and its value.
type field struct {
	in   header
	text string
}

// fields are what is said, by key in alphabetical order.
func (d *Data) fields() []field {
	var all []field
	add := func(in header, said bool, text string) {
		if said {
			all = append(all, field{in, text})
		}
	}
	number := func(in header, key string, v, step float64) {
		n := math.Round(v/step) * step
		add(in, n > 0 && n < 1<<53, fmt.Sprintf("%s=%.0f", key, n))
	}
	ahead := func(key string, v *time.Duration) {
		if v != nil {
			add(request, *v >= 0, fmt.Sprintf("%s=%.0f", key, math.Round(float64(*v)/float64(100*time.Millisecond))*100))
		}
	}
	ahead("bl", d.BL)
	number(object, "br", d.BR, 1)
	add(status, d.BS, "bs")
	add(session, sendable(d.CID, maxID), "cid="+quoted(d.CID))
	number(object, "d", float64(d.D)/float64(time.Millisecond), 1)
	ahead("dl", d.DL)
	number(request, "mtp", d.MTP, 100)
	add(request, sendable(d.NOR, maxNOR), "nor="+quoted(d.NOR))
	add(request, sendable(d.NRR, maxID), "nrr="+quoted(d.NRR))
	if d.OT == Muxed {
		add(object, true, "ot=av")
	} else {
		add(object, letter(d.OT), "ot="+string(rune(d.OT)))
	}
	add(session, letter(d.SF), "sf="+string(rune(d.SF)))
	add(session, sendable(d.SID, maxID), "sid="+quoted(d.SID))
	add(session, letter(d.ST), "st="+string(rune(d.ST)))
	add(request, d.SU, "su")
	number(object, "tb", d.TB, 1)
	return all
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' }

// sendable tells whether s is something that a string can hold (RFC 8941, 3.3.3).
func sendable(s string, limit int) bool {
	outside := func(r rune) bool { return r < ' ' || r > '~' }
	return s != "" && len(s) <= limit && strings.IndexFunc(s, outside) < 0
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func quoted(s string) string { return `"` + escape.Replace(s) + `"` }

// Header is d as headers, whose names are as net/http writes them.
func (d *Data) Header() http.Header {
	h := http.Header{}
	for _, f := range d.fields() {
		name := headers[f.in]
		if was := h.Get(name); was != "" {
			f.text = was + "," + f.text
		}
		h.Set(name, f.text)
	}
	return h
}

// Query is d as a query argument, CMCD=…, percent-encoded as a whole; empty
// where d says nothing.
func (d *Data) Query() string {
	var all []string
	for _, f := range d.fields() {
		all = append(all, f.text)
	}
	if len(all) == 0 {
		return ""
	}
	return "CMCD=" + escaped(strings.Join(all, ","))
}

// AddTo is the address with d's query argument, in place of one that it has.
func (d *Data) AddTo(address string) string {
	address = Strip(address)
	q := d.Query()
	if q == "" {
		return address
	}
	address, fragment, hasFragment := strings.Cut(address, "#")
	switch {
	case !strings.Contains(address, "?"):
		address += "?"
	case strings.IndexByte(address, '?') < len(address)-1 && !strings.HasSuffix(address, "&"):
		address += "&"
	}
	if address += q; hasFragment {
		address += "#" + fragment
	}
	return address
}

// Strip is the address without a query argument CMCD. The others stay as they
// are, byte for byte: they may be signed.
func Strip(address string) string {
	before, query, ok := strings.Cut(address, "?")
	if !ok || !strings.Contains(query, "CMCD=") {
		return address
	}
	query, fragment, hasFragment := strings.Cut(query, "#")
	var left []string
	for arg := range strings.SplitSeq(query, "&") {
		if !strings.HasPrefix(arg, "CMCD=") {
			left = append(left, arg)
		}
	}
	if len(left) > 0 {
		before += "?" + strings.Join(left, "&")
	}
	if hasFragment {
		before += "#" + fragment
	}
	return before
}

// Next is the address next as [Data.NOR] has it: relative to that of the request
// where both are of one server, percent-encoded; empty where it is the same. User
// and password are left out: they are for next's own server.
func Next(address, next string) string {
	from, err1 := url.Parse(address)
	to, err2 := url.Parse(next)
	if err1 != nil || err2 != nil || address == next {
		return ""
	}
	if from.Scheme != to.Scheme || from.Host != to.Host {
		if to.User != nil {
			to.User = nil
			next = to.String()
		}
		return escaped(next)
	}
	a, b := strings.Split(from.EscapedPath(), "/"), strings.Split(to.EscapedPath(), "/")
	a = a[:len(a)-1]
	for len(a) > 0 && len(b) > 1 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	path := strings.Repeat("../", len(a)) + strings.Join(b, "/")
	if to.RawQuery != "" {
		path += "?" + to.RawQuery
	}
	return escaped(path)
}

// escaped is a text percent-encoded, spaces too.
func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
