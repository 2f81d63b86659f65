package tape

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/bundle"
	"pgregory.net/rapid"
)

// Beginning and end of a body decrypt with the other key as they did with the
// content's, and nothing of its ciphertext is left.
func TestReseal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sized := func(n int, name string) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, name) }
		key, iv := sized(16, "key"), sized(16, "iv")
		plain := sized(rapid.IntRange(64, 400).Draw(t, "size"), "plain")
		whole := len(plain) / 16 * 16
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		cbc := bytes.Clone(plain) // what is no whole block is as it is
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(cbc[:whole], plain[:whole])

		head := len(cbc)
		body := &bundle.Body{Size: int64(len(cbc)), Data: bytes.Clone(cbc)}
		if rapid.Bool().Draw(t, "cut") {
			head = rapid.IntRange(0, len(cbc)/32-1).Draw(t, "head") * 32
			body.Cut, body.Tail = true, TailBytes
			body.Data = append(bytes.Clone(cbc[:head]), cbc[len(cbc)-TailBytes:]...)
		}
		var keys Keyring
		if err := keys.Reseal(body, key, iv, false); err != nil {
			t.Fatal(err)
		}
		other := keys.For(key)
		if !body.Rekeyed || bytes.Equal(other, key) {
			t.Fatalf("rekeyed %v, with %x for %x", body.Rekeyed, other, key)
		}
		block, err = aes.NewCipher(other)
		if err != nil {
			t.Fatal(err)
		}
		n := min(head, whole)
		got := make([]byte, n)
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(got, body.Data[:n])
		if !bytes.Equal(got, plain[:n]) {
			t.Errorf("the first %d bytes are others", n)
		}
		if body.Cut && len(cbc)%16 == 0 {
			tail := body.Data[head:]
			last := make([]byte, 16)
			cipher.NewCBCDecrypter(block, tail[:16]).CryptBlocks(last, tail[16:])
			if !bytes.Equal(last, plain[len(plain)-16:]) {
				t.Error("the last block is another")
			}
		}
		if n > 0 && bytes.Contains(body.Data[:n], cbc[:16]) {
			t.Error("the ciphertext is still there")
		}
	})
}

// Keys in a text are replaced however they are written; those of other schemes
// are none.
func TestReplaceKeys(t *testing.T) {
	key := []byte("a content key! 1")
	var keys Keyring
	keys.For(key)
	for name, in := range map[string]string{
		"hexadecimal":         "6120636f6e74656e74206b6579212031",
		"capitals":            "6120636F6E74656E74206B6579212031",
		"base64":              "YSBjb250ZW50IGtleSEgMQ==",
		"escapes":             "%61%20%63%6f%6e%74%65%6e%74%20%6b%65%79%21%20%31",
		"unknown":             "#EXT-X-KEY:METHOD=AES-128,URI=\"data:;base64,AAAAAAAAAAAAAAAAAAAAAA==",
		"before its method":   "#EXT-X-KEY:URI=\"data:;base64,AAAAAAAAAAAAAAAAAAAAAA==\",METHOD=AES-128,IV=\"",
		"of samples":          "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:;base64,AAAAAAAAAAAAAAAAAAAAAA==\",KEYFORMAT=\"identity",
		"of samples, no form": "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:;base64,AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		if out := string(keys.Replace([]byte("<" + in + "\">"))); strings.Contains(out, in) || !strings.HasPrefix(out, "<") || !strings.HasSuffix(out, "\">") {
			t.Errorf("%s: %s", name, out)
		}
	}
	var short Keyring
	for b := range 256 { // of which some stand in each text
		short.For([]byte{byte(b)})
	}
	const unknown = "#EXT-X-KEY:METHOD=AES-128,URI=\"data:;base64,AAAAAAAAAAAAAAAAAAAAAA==\""
	if out := string(short.Replace([]byte(unknown))); out == unknown {
		t.Error("a key beside short ones is still there")
	}
	const pssh = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:text/plain;base64,AAAAAAAA\",KEYFORMAT=\"urn:uuid:x\""
	if out := string(keys.Replace([]byte(pssh))); out != pssh {
		t.Error(out)
	}
}
