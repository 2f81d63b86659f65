package tape

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/bundle"
)

// Keyring has, for each content key of a recording, another that stands in its
// place: what the key encrypts is encrypted anew, so that it decrypts to the
// same bytes, or fails to in the same way, and the content's own key is
// nowhere. The zero value is empty.
type Keyring struct{ pairs []pair }

type pair struct{ key, other []byte }

// For is what stands in place of a key: random, and of the same length.
func (k *Keyring) For(key []byte) []byte {
	for _, p := range k.pairs {
		if bytes.Equal(p.key, key) {
			return p.other
		}
	}
	other := make([]byte, len(key))
	rand.Read(other) // never fails
	k.pairs = append(k.pairs, pair{bytes.Clone(key), other})
	return other
}

// inline is a tag that holds a key, or what a key system needs: what stands
// before its data: URI, that, and what stands behind (RFC 8216bis, 4.4.4.4, with
// a URI as RFC 2397 has it).
var inline = regexp.MustCompile(`(?i)(#EXT-X-(?:SESSION-)?KEY:[^\r\n]*URI=")(data:[^"\r\n]*)([^\r\n]*)`)

// Replace puts the others in place of keys that stand in a text: in hexadecimal
// digits, base64 or escapes, as data: URIs hold them. A key that a playlist
// holds and that is none of the ring's is replaced by one that fits nothing.
func (k *Keyring) Replace(text []byte) []byte {
	s := string(text)
	var others []string
	for _, p := range k.pairs {
		if len(p.key) < aes.BlockSize {
			continue // it stands in words that have nothing to do with it
		}
		for _, write := range spellings {
			others = append(others, write(p.other))
			s = strings.ReplaceAll(s, write(p.key), write(p.other))
		}
	}
	return inline.ReplaceAllFunc([]byte(s), func(tag []byte) []byte {
		if slices.ContainsFunc(others, func(o string) bool { return bytes.Contains(tag, []byte(o)) }) || !holdsKey(tag) {
			return tag
		}
		none := make([]byte, aes.BlockSize)
		rand.Read(none) // never fails
		parts := inline.FindSubmatch(tag)
		return slices.Concat(parts[1], []byte("data:;base64,"+base64.StdEncoding.EncodeToString(none)), parts[3])
	})
}

// holdsKey tells whether the URI of a tag, wherever its attributes stand, is a
// content key: not what a key system needs (KEYFORMAT).
func holdsKey(tag []byte) bool {
	return bytes.Contains(tag, []byte("METHOD=AES-")) ||
		bytes.Contains(tag, []byte("METHOD=SAMPLE-AES")) && (!bytes.Contains(tag, []byte("KEYFORMAT=")) || bytes.Contains(tag, []byte(`KEYFORMAT="identity"`)))
}

// spellings are the ways in which texts hold keys.
var spellings = []func([]byte) string{
	hex.EncodeToString,
	func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) },
	base64.RawStdEncoding.EncodeToString,
	base64.RawURLEncoding.EncodeToString,
	func(b []byte) string { return escaped("%%%02x", b) },
	func(b []byte) string { return escaped("%%%02X", b) },
}

// escaped is b with each byte in a format.
func escaped(format string, b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, format, c)
	}
	return s.String()
}

// Reseal encrypts a body anew that was encrypted with a key: AES-128-CBC from
// its beginning with the IV, or AES-256-GCM. Of a body in CBC mode of which only
// beginning and end are kept, both decrypt as they did. One in GCM that is not
// whole, or that its key does not open, stays as it is: it does not open with
// the other key either.
func (k *Keyring) Reseal(b *bundle.Body, key, iv []byte, gcm bool) error {
	from, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("tape: content key: %w", err)
	}
	to, err := aes.NewCipher(k.For(key))
	if err != nil {
		return fmt.Errorf("tape: a bundle's own key: %w", err)
	}
	b.Rekeyed = true
	if gcm {
		return resealGCM(b, from, to)
	}
	head := b.Data[:len(b.Data)-int(b.Tail)]
	reseal(from, to, iv, head)
	if b.Tail == 2*aes.BlockSize && b.Size%aes.BlockSize == 0 {
		tail := b.Data[len(head):]
		reseal(from, to, tail[:aes.BlockSize], tail[aes.BlockSize:])
	}
	return nil
}

// reseal encrypts whole blocks in place.
func reseal(from, to cipher.Block, iv, data []byte) {
	data = data[:len(data)/aes.BlockSize*aes.BlockSize]
	cipher.NewCBCDecrypter(from, iv).CryptBlocks(data, data)
	cipher.NewCBCEncrypter(to, iv).CryptBlocks(data, data)
}

// resealGCM opens and seals a whole body: IV, ciphertext, tag.
func resealGCM(b *bundle.Body, from, to cipher.Block) error {
	opener, err := cipher.NewGCMWithNonceSize(from, aes.BlockSize)
	if err != nil {
		return fmt.Errorf("tape: AES-256-GCM: %w", err)
	}
	sealer, err := cipher.NewGCMWithNonceSize(to, aes.BlockSize)
	if err != nil {
		return fmt.Errorf("tape: AES-256-GCM: %w", err)
	}
	if b.Cut || len(b.Data) < 2*aes.BlockSize {
		return nil
	}
	iv, sealed := b.Data[:aes.BlockSize], b.Data[aes.BlockSize:]
	plain, err := opener.Open(nil, iv, sealed, nil)
	if err != nil {
		return nil
	}
	b.Data = sealer.Seal(bytes.Clone(iv), iv, plain, nil)
	return nil
}
