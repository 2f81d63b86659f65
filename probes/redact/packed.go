package redact

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// minPacked is the length from which base64 is looked into, in characters: shorter
// text has no room for an address with a secret.
const minPacked = 40

// withoutPacked replaces base64 (RFC 4648, 4 and 5) that holds an address with a
// secret, in ASCII or UTF-16, as one: what it is a part of has lengths.
func withoutPacked(text string) string {
	var out strings.Builder
	done := 0
	for i := 0; i < len(text); {
		if !isBase64(text[i]) {
			i++
			continue
		}
		from := i
		for i < len(text) && isBase64(text[i]) {
			i++
		}
		if i-from < minPacked {
			continue
		}
		start, ok := packedFrom(text[from:i])
		if from += start; !ok || !packs(text[from:i]) {
			continue
		}
		for i < len(text) && text[i] == '=' {
			i++
		}
		out.WriteString(text[done:from])
		out.WriteString(Mark)
		done = i
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

// urlSafe are the characters of the one alphabet in the other.
var urlSafe = strings.NewReplacer("-", "+", "_", "/")

// packedSchemes are the characters of base64 that an address's :// always has, in
// ASCII and UTF-16, by where in a group of four they begin.
var packedSchemes = map[string]int{"Oi8v": 0, "ovL": 2, "6Ly": 3, "OgAvAC8A": 0, "oALwAv": 2, "6AC8AL": 3}

// packedFrom is where base64 begins whose first address leads on from there in groups
// of four: behind a slash, as in an address's path or behind its skd://, or at the
// start of the run; not ok where it has no address.
func packedFrom(run string) (start int, ok bool) {
	first, group := len(run), 0
	for scheme, at := range packedSchemes {
		if i := strings.Index(run, scheme); i >= 0 && i < first {
			first, group = i, i-at
		}
	}
	if first == len(run) {
		return 0, false
	}
	for slash := strings.LastIndexByte(run[:first], '/'); slash >= 0; slash = strings.LastIndexByte(run[:slash], '/') {
		if (group-slash-1)%4 == 0 {
			return slash + 1, true
		}
	}
	return 0, true
}

// packs tells whether base64 holds an address with a secret.
func packs(packed string) bool {
	packed = urlSafe.Replace(packed)
	if len(packed)%4 == 1 {
		packed = packed[:len(packed)-1]
	}
	b, err := base64.RawStdEncoding.DecodeString(packed)
	if err != nil {
		return false
	}
	secret := false
	eachText(b, func(text []byte, step int) { secret = secret || isSecret(text, step) })
	return secret
}

// schemes are how an address's :// is written in ASCII and in UTF-16, by the bytes of
// a character.
var schemes = map[int][]byte{1: []byte("://"), 2: []byte(":\x00/\x00/\x00")}

// eachText calls f for each text of ASCII in b that holds an address, with the bytes
// of each of its characters.
func eachText(b []byte, f func(text []byte, step int)) {
	for step, scheme := range schemes {
		for done := 0; ; {
			at := bytes.Index(b[done:], scheme)
			if at < 0 {
				break
			}
			from := done + at
			to := from + len(scheme)
			for from-step >= done && isText(b[from-step:from]) {
				from -= step
			}
			for to+step <= len(b) && isText(b[to:to+step]) {
				to += step
			}
			f(b[from:to], step)
			done = to
		}
	}
}

// isText tells whether a character of one or two bytes is one of text in ASCII.
func isText(c []byte) bool {
	return (c[0] >= ' ' && c[0] < 0x7f || c[0] == '\t' || c[0] == '\r' || c[0] == '\n') && (len(c) == 1 || c[1] == 0)
}

// isSecret tells whether a text of step bytes to a character holds a secret.
func isSecret(text []byte, step int) bool {
	plain := make([]byte, 0, len(text)/step)
	for i := 0; i < len(text); i += step {
		plain = append(plain, text[i])
	}
	return Text(string(plain)) != string(plain)
}

// maskTexts writes [Mark] over each text in b that holds an address with a secret.
func maskTexts(b []byte) {
	eachText(b, func(text []byte, step int) {
		if !isSecret(text, step) {
			return
		}
		for i := 0; i < len(text); i += step {
			text[i] = Mark[i/step%len(Mark)]
		}
	})
}
