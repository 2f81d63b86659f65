package redact

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "https://a.example/live/1.ts?quality=720&x=", "https://a.example/live/1.ts?quality=720&x="},
		{"order and names stay", "https://a.example/m?a=1&token=abc&b=2", "https://a.example/m?a=1&token=REDACTED&b=2"},
		{"CloudFront", "https://d1.example/m?Expires=1700000000&Signature=aB~cd-_&Key-Pair-Id=K2J&Policy=eyJTdGF0", "https://d1.example/m?Expires=REDACTED&Signature=REDACTED&Key-Pair-Id=REDACTED&Policy=REDACTED"},
		{"Signature Version 4", "https://s3.example/o?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2026&X-Amz-Signature=ff", "https://s3.example/o?X-Amz-Algorithm=REDACTED&X-Amz-Credential=REDACTED&X-Amz-Signature=REDACTED"},
		{"Google", "https://g.example/o?x-goog-signature=0f&GoogleAccessId=me&edge-cache-token=a", "https://g.example/o?x-goog-signature=REDACTED&GoogleAccessId=REDACTED&edge-cache-token=REDACTED"},
		{"licence servers", "https://l.example/l?customdata=ab&AuthXml=cd&x-axdrm-message=ef", "https://l.example/l?customdata=REDACTED&AuthXml=REDACTED&x-axdrm-message=REDACTED"},
		{"Azure", "https://b.example/o?sv=2024&sig=a%2Bb%3D", "https://b.example/o?sv=2024&sig=REDACTED"},
		{"Akamai in the query", "https://a.example/m?hdnts=exp=17~acl=/*~hmac=beef&q=1", "https://a.example/m?hdnts=REDACTED&q=1"},
		{"Akamai in the path", "https://a.example/hdntl=exp=17~acl=%2f*~hmac=beef/m.m3u8", "https://a.example/hdntl=REDACTED/m.m3u8"},
		{"Bunny in the path", "https://a.example/bcdn_token=a-b&expires=17&token_path=%2F/m.m3u8", "https://a.example/bcdn_token=REDACTED&expires=REDACTED&token_path=REDACTED"},
		{"Tencent, Alibaba, Wangsu", "http://a.example/m?txSecret=1a&txTime=2b&auth_key=3c&wsSecret=4d", "http://a.example/m?txSecret=REDACTED&txTime=REDACTED&auth_key=REDACTED&wsSecret=REDACTED"},
		{"escaped name", "http://a.example/m?%74oken=abc", "http://a.example/m?%74oken=REDACTED"},
		{"slashes in a value", "http://a.example/m?token=ab/cd==&x=1", "http://a.example/m?token=REDACTED&x=1"},
		{"nested URL", "http://a.example/m?u=http%3A%2F%2Fb%2F%3Ftoken%3Dabc%26x%3D1&y=2", "http://a.example/m?u=http%3A%2F%2Fb%2F%3Ftoken%3DREDACTED%26x%3D1&y=2"},
		{"a URL nested twice", "http://a.example/m?CMCD=nor%3D%22b.ts%253Ftoken%253Dabc%2526x%253D1%22%2Cot%3Dv", "http://a.example/m?CMCD=nor%3D%22b.ts%253Ftoken%253DREDACTED%2526x%253D1%22%2Cot%3Dv"},
		{"fragment", "http://a.example/m#access_token=abc&x=1", "http://a.example/m#access_token=REDACTED&x=1"},
		{"user and password", "http://me:pa:ss@a.example:80/m@2x", "http://REDACTED@a.example:80/m@2x"},
		{"user of a nested URL", "http://a/?u=http%3A%2F%2Fme%3Apass%40b.example%2F&x=@", "http://a/?u=http%3A%2F%2FREDACTED%40b.example%2F&x=@"},
		{"words about a token", "json: invalid token: unexpected end; auth: no", "json: invalid token: unexpected end; auth: no"},
		{"a header of one's own", "X-Auth-Token: abc", "X-Auth-Token: REDACTED"},
		{"a header as a parameter", "http://a/m?authorization=Bearer+x&q=1", "http://a/m?authorization=REDACTED&q=1"},
		{"user of a URL without a scheme", "<BaseURL>//me:pass@a.example/b//c@2x</BaseURL>\n//me@b.example/\n", "<BaseURL>//REDACTED@a.example/b//c@2x</BaseURL>\n//REDACTED@b.example/\n"},
		{"user, escaped twice", "CMCD=nor%3D%22https%253A%252F%252Fme%253Ap%252540ss%2540a.example%252F2.ts%22", "CMCD=nor%3D%22https%253A%252F%252FREDACTED%2540a.example%252F2.ts%22"},
		{"user, escaped for scripts", `"https:\u002f\u002fme:pass\u0040a.example"`, `"https:\u002f\u002fREDACTED\u0040a.example"`},
		{"user, its sign escaped for scripts", `"https://me:pass\u0040a.example\/b@c"`, `"https://REDACTED\u0040a.example\/b@c"`},
		{"user alone", "at https://me@a.example", "at https://REDACTED@a.example"},
		{"two URLs", "http://u@a/?token=1 to http://v@b/?token=2", "http://REDACTED@a/?token=REDACTED to http://REDACTED@b/?token=REDACTED"},
		{"in words", `Get "http://a.example/m?token=abc": connection refused`, `Get "http://a.example/m?token=REDACTED": connection refused`},
		{"before a colon", "GET http://a.example/m?token=abc: refused", "GET http://a.example/m?token=REDACTED: refused"},
		{"a tag of a playlist", `#EXT-X-KEY:METHOD=AES-128,URI="k?jwt=abc",IV=0x1`, `#EXT-X-KEY:METHOD=AES-128,URI="k?jwt=REDACTED",IV=0x1`},
		{"JSON", `{"access_token": "a b","n":1}`, `{"access_token": "REDACTED","n":1}`},
		{"quotes of the other kind", `{"password": "it's a 5ecret","n":1} token='a"b"c'`, `{"password": "REDACTED","n":1} token='REDACTED'`},
		{"quotes in a value", `{"password": "a\"5ecret","n":1}`, `{"password": "REDACTED","n":1}`},
		{"headers", "Authorization: Bearer abc.def\r\nX-Cache: HIT\r\nCookie: a=b; c=d", "Authorization: REDACTED\r\nX-Cache: HIT\r\nCookie: REDACTED"},
		{"a token without a name", "http://a.example/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/m.m3u8", "http://a.example/REDACTED/m.m3u8"},
		{"no value", "http://a.example/m?token=&sig&x=1", "http://a.example/m?token=&sig&x=1"},
		{"an address", "dial tcp auth:443: refused, session:80", "dial tcp auth:443: refused, session:80"},
		{"the run's own id", `CMCD=sid%3D%22ab%22&x=1`, `CMCD=sid%3D%22ab%22&x=1`},
		{"a header of CloudFront's answer", "x-amz-cf-id: abc==", "x-amz-cf-id: abc=="},
		{"a name that tells nothing", "https://a.example/m?k=Zx81kQ0vbN2mR7tY&code=dGhpcyBpcyBhIH-rZXk_MTIz&a=1", "https://a.example/m?k=REDACTED&code=REDACTED&a=1"},
		{"random, escaped", "https://a.example/m?k=Zx81kQ0v%2BbN2mR7tYw%3D%3D#k=aB3dE5fG7hI9jK1l", "https://a.example/m?k=REDACTED#k=REDACTED"},
		{"random in words", "GET https://a.example/m?k=Zx81kQ0vbN2mR7tY: refused", "GET https://a.example/m?k=REDACTED: refused"},
		{"random of small letters", "https://a.example/m?k=q8z1w7v3t9r2p5n4m6k0&h=9e107d9d372bb6826bd81d3542a419d6", "https://a.example/m?k=REDACTED&h=REDACTED"},
		{"random of a nested URL", "http://a/m?u=http%3A%2F%2Fb%2F%3Fk%3DZx81kQ0vbN2mR7tY%26x%3D1&y=2", "http://a/m?u=http%3A%2F%2Fb%2F%3Fk%3DREDACTED%26x%3D1&y=2"},
		{"random, between others", "http://a/m?u=?k=Zx81kQ0vbN2mR7tY;x=1,at ?k=Zx81kQ0vbN2mR7tY.", "http://a/m?u=?k=REDACTED;x=1,at ?k=REDACTED."},
		{"random in XML", `media="$Number$.m4s?a=1&amp;k=Zx81kQ0vbN2mR7tY&#38;j=Zx81kQ0vbN2mR7tY"`, `media="$Number$.m4s?a=1&amp;k=REDACTED&#38;j=REDACTED"`},
		{"what is played", "http://a/m?id=018f2b1c-7c41-7e3a-9d52-3f0c9a1b2c3d&seg=segment-000123456.m4s&at=20261123T190726Z&t=17000012345678901234&v=hvc1.2.4.L153.B0&build=5f2b7c1e9a3d4860&n=00000000000000000000abcdefabcdef", "http://a/m?id=018f2b1c-7c41-7e3a-9d52-3f0c9a1b2c3d&seg=segment-000123456.m4s&at=20261123T190726Z&t=17000012345678901234&v=hvc1.2.4.L153.B0&build=5f2b7c1e9a3d4860&n=00000000000000000000abcdefabcdef"},
		{"names", "http://a/m?p=1920x1080-h264-aac-2ch-v1.2.3-b5&c=AmazonCloudFrontDistribution&q=h264_1080p_30fps_4800k&l=pt-BR.utf-8_live-channel&f=h264x1080p30f2v1&o=TokyoLondonParisDelhi", "http://a/m?p=1920x1080-h264-aac-2ch-v1.2.3-b5&c=AmazonCloudFrontDistribution&q=h264_1080p_30fps_4800k&l=pt-BR.utf-8_live-channel&f=h264x1080p30f2v1&o=TokyoLondonParisDelhi"},
		{"no query's", "at k=Zx81kQ0vbN2mR7tY", "at k=Zx81kQ0vbN2mR7tY"},
		{"a path", "http://a/Zx81kQ0vbN2mR7tY/m?x=1", "http://a/Zx81kQ0vbN2mR7tY/m?x=1"},
		{"a script's address", `"https:\/\/me:pass@a\/m?sig=ab\/cd\u0026Policy\u003dab\x26x=1"`, `"https:\/\/REDACTED@a\/m?sig=REDACTED\u0026Policy\u003dREDACTED\x26x=1"`},
		{"escaped for XML", "a?x=1&amp;sig=ab&amp;y=2", "a?x=1&amp;sig=REDACTED&amp;y=2"},
		{"a PlayReady object", "<mspr:pro>" + playReady("https://l.example/rm?a=1&amp;token=ab") + "</mspr:pro>", "<mspr:pro>REDACTED</mspr:pro>"},
		{"a PlayReady object without a secret", "<mspr:pro>" + playReady("https://l.example/rm?a=1") + "</mspr:pro>", "<mspr:pro>" + playReady("https://l.example/rm?a=1") + "</mspr:pro>"},
		{"a PSSH", `KEYFORMAT="com.widevine",URI="data:text/plain;base64,` + base64.StdEncoding.EncodeToString([]byte("\x00\x00\x00\x40pssh\x00\x01https://l.example/?k=Zx81kQ0vbN2mR7tY")) + `",IV=0x1`, `KEYFORMAT="com.widevine",URI="data:text/plain;base64,REDACTED",IV=0x1`},
		{"in a scheme of its own", "skd://" + base64.RawURLEncoding.EncodeToString([]byte(`{"asset":"news","url":"https://l.example/?token=ab"}`)), "skd://REDACTED"},
		{"bare percent signs", "100%?token=%&%4=1%", "100%?token=REDACTED&%4=1%"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Text(tt.in)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if again := Text(got); again != got {
				t.Errorf("again: %s", again)
			}
		})
	}
}

// playReady is a PlayReady object whose header, in UTF-16, has that licence address
// as XML writes it.
func playReady(address string) string {
	b := []byte{0xaa, 2, 0, 0, 1, 0, 1, 0, 0xa0, 2}
	for _, c := range []byte(`<WRMHEADER version="4.0.0.0"><DATA><LA_URL>` + address + "</LA_URL></DATA></WRMHEADER>") {
		b = append(b, c, 0)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// An address is seen wherever in base64 it begins.
func TestPacked(t *testing.T) {
	for lead := range 3 {
		for name, b := range map[string][]byte{"ASCII": []byte("https://l.example/licence?token=ab"), "UTF-16": []byte(strings.Join(strings.Split("https://l.example/licence?token=ab", ""), "\x00") + "\x00")} {
			b = append(bytes.Repeat([]byte{0xfe}, lead), b...)
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
				for _, behind := range []string{"", "A", "AA"} { // which may leave a character over
					text := strings.TrimRight(e.EncodeToString(b), "=") + behind
					if got := Text(text); got != Mark {
						t.Errorf("%s behind %d bytes and before %q: %s", name, lead, behind, got)
					}
				}
			}
		}
	}
}

// Base64 that is a part of a path begins where that part does.
func TestPackedInPath(t *testing.T) {
	const secret = "https://l.example/m?token=ab"
	for lead := range 3 {
		for _, packed := range []string{strings.Repeat("a", lead) + secret, strings.Repeat("a", lead) + strings.Join(strings.Split(secret, ""), "\x00") + "\x00"} {
			for _, path := range []string{"p", "pr", "pro", "prox", "proxy/to/"} {
				for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
					in := "https://p.example/" + path + "/" + e.EncodeToString([]byte(packed)) + "?x=1"
					if got, want := Text(in), "https://p.example/"+path+"/REDACTED?x=1"; got != want {
						t.Errorf("%s: %s, want %s", in, got, want)
					}
				}
			}
		}
	}
}

// Of several addresses each is seen, whatever stands between them.
func TestPackedTwice(t *testing.T) {
	for between := range 6 {
		for lead := range 3 {
			b := []byte("https://l.example/m?token=ab" + strings.Repeat("\xff", between) + strings.Repeat("a", lead) + "https://other.example/a/long/path/without/more")
			if got := Text("pssh=" + base64.StdEncoding.EncodeToString(b)); got != "pssh="+Mark {
				t.Errorf("%d and %d bytes between: %s", between, lead, got)
			}
		}
	}
}

// Of values that are drawn at random hardly one is not seen, in each way of writing
// them.
func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const small, large, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	for _, tt := range []struct {
		name, of string
		length   int
		missed   float64 // at most
	}{
		{"base64url, 96 bits", small + large + digits + "-_", 16, 0.05},
		{"base64url, 128 bits", small + large + digits + "-_", 22, 0.02},
		{"base62", small + large + digits, 32, 0.01},
		{"hexadecimal", digits + "abcdef", 32, 0.02},
		{"SHA-256", digits + "ABCDEF", 64, 0.001},
		{"base36", small + digits, 24, 0.15},
	} {
		const n = 10_000
		missed := 0
		for range n {
			b := make([]byte, tt.length)
			for i := range b {
				b[i] = tt.of[rng.IntN(len(tt.of))]
			}
			if !Random(string(b)) {
				missed++
			}
		}
		if got := float64(missed) / n; got > tt.missed {
			t.Errorf("%s: %.4f are not seen, at most %.4f are to be", tt.name, got, tt.missed)
		}
	}
}

// Of what is no text only texts with secrets are written over; all keeps its length.
func TestMask(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString(playReady("https://l.example/rm?token=ab"))
	if err != nil {
		t.Fatal(err)
	}
	harmless, err := base64.StdEncoding.DecodeString(playReady("https://l.example/rm?a=1"))
	if err != nil {
		t.Fatal(err)
	}
	const wide = "t\x00o\x00k\x00e\x00n\x00=\x00a\x00b\x00"
	for name, tt := range map[string]struct {
		in         []byte
		gone, kept string
	}{
		"UTF-16":             {secret, wide, "R\x00E\x00D\x00A\x00C\x00T\x00E\x00D\x00R\x00"},
		"UTF-16 behind more": {[]byte("a\x4e:\x00/\x00/\x00?\x00" + wide), wide, "a\x4eR\x00E\x00D\x00"},
		"ASCII":              {[]byte("\x00\x01https://l.example/?token=ab\x02"), "token=ab", "\x00\x01REDACTED"},
		"nothing":            {harmless, "", ""},
		"nothing in ASCII":   {[]byte("\x00http://a.example/m\xff"), "", ""},
	} {
		var r Redactor
		got := r.Mask(bytes.Clone(tt.in))
		if len(got) != len(tt.in) || tt.gone != "" && bytes.Contains(got, []byte(tt.gone)) || tt.gone == "" && !bytes.Equal(got, tt.in) || !bytes.Contains(got, []byte(tt.kept)) {
			t.Errorf("%s: %q becomes %q", name, tt.in, got)
		}
	}
}

func TestRedactor(t *testing.T) {
	r, err := New(`/play/([^/]+)/`, `cust-\d+`)
	if err != nil {
		t.Fatal(err)
	}
	r.Know("se cr/et+1")
	r.Know("short")
	for in, want := range map[string]string{
		"http://a/play/abcdef/m.m3u8?c=cust-77": "http://a/play/REDACTED/m.m3u8?c=REDACTED",
		"it was se cr/et+1, it was":             "it was REDACTED, it was",
		"http://a/m?q=se+cr%2Fet%2B1":           "http://a/m?q=REDACTED",
		"http://a/se%20cr/et+1/m":               "http://a/REDACTED/m",
		"http://a/se%20cr%2Fet+1/m":             "http://a/REDACTED/m",
		"a short one":                           "a short one",
		"http://a/m?token=se cr/et+1&x=1":       "http://a/m?token=REDACTED&x=1",
	} {
		got := r.Text(in)
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
		if again := r.Text(got); again != got {
			t.Errorf("%s, again: %s", got, again)
		}
	}
	for _, p := range []string{"(", "a*", strings.Repeat("a", MaxPattern+1)} {
		if _, err := New(p); err == nil {
			t.Errorf("pattern %.20q is taken", p)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"", "https://u:p@a.example/m?token=abc&x=1#sig=2", `{"token":"x"}`, "Cookie: a=b\n", "%3Dtoken%3D%26%",
		"eyJhbGciOiJIUzI1NiJ9.e30.x=token=", "/hdntl=exp=1~hmac=2/m", "\xff=\xfe://@", "://a@://token=:", "//a@//b@", `\u0026sig\u003dab\/cd\x26x`,
		"?k=Zx81kQ0vbN2mR7tY&amp;", playReady("https://l.example/rm?token=ab"),
	} {
		f.Add(s, "s3cr3tvalue")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		got := Text(text)
		if again := Text(got); again != got {
			t.Errorf("%q becomes %q, and that %q", text, got, again)
		}
		if most := len(text) * (1 + len(Mark)); len(got) > most {
			t.Errorf("%d bytes of %d", len(got), len(text))
		}
		// A secret parameter in a URL that is well written is gone, and all
		// else is there.
		if len(value) < 3 || strings.Contains(Mark, value) {
			return
		}
		before := "https://a.example/m?a=" + url.QueryEscape(text) + "&"
		address := before + "Token=" + url.QueryEscape(value) + "&z=1"
		if got, want := Text(address), Text(before)+"Token=REDACTED&z=1"; got != want {
			t.Errorf("%q becomes %q, want %q", address, got, want)
		}
	})
}

// Time grows with the length of the text alone, whatever it holds: what takes the
// square of it would take minutes here.
func TestLong(t *testing.T) {
	for _, part := range []string{"?a=", "&a=;", "?a=%3F", "://a@", "://", "token", `\u0026a\u003d`, "//Oi8v", "Oi8vOi8vOi8vOi8vOi8v", "a=", "eyJ"} {
		text := strings.Repeat(part, 256<<10/len(part))
		if got := Text(text); len(got) > len(text)*(1+len(Mark)) {
			t.Errorf("%q: %d bytes", part, len(got))
		}
	}
}

// BenchmarkText is of addresses, as steps have them, and of whole manifests.
func BenchmarkText(b *testing.B) {
	const k = "k=Zx81kQ0vbN2mR7tY"
	for _, bb := range []struct{ name, text, gone string }{
		{"plain", "https://cdn.example/live/channel/1080p/segment-000123456.m4s?quality=high&start=0", "abcdefgh"},
		{"signed", "https://cdn.example/live/channel/1080p/segment-000123456.m4s?Expires=1700000000&Signature=abcdefghijklmnopqrstuvwxyz0123456789&Key-Pair-Id=K2JCJMDEHXQW5F", "abcdefgh"},
		{"random", "https://cdn.example/live/channel/1080p/segment-000123456.m4s?quality=high&" + k, k},
		{"licence", `<ContentProtection><mspr:pro>` + playReady("https://l.example/rm?"+k) + `</mspr:pro></ContentProtection>`, "AAC"},
		{"playlist", strings.Repeat("#EXTINF:6.006,\nhttps://cdn.example/live/channel/1080p/segment-000123456.m4s?quality=high\n", 10_000), k},
		{"playlist, signed", strings.Repeat("#EXTINF:6.006,\n/live/channel/1080p/segment-000123456.m4s?"+k+"\n", 10_000), k},
		{"base64", strings.Repeat(playReady("https://l.example/rm?a=1")+"\n", 2_000), k},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bb.text)))
			for b.Loop() {
				if strings.Contains(Text(bb.text), bb.gone) {
					b.Fatal("it is still there")
				}
			}
		})
	}
}

// BenchmarkMask is of 1 MiB that is no text, with a thousand addresses in it.
func BenchmarkMask(b *testing.B) {
	var r Redactor
	r.Know("Zx81kQ0vbN2mR7tY")
	media := bytes.Repeat(append([]byte("https://a.example/m?a=1\x00\xff"), make([]byte, 1022)...), 1000)
	b.ReportAllocs()
	b.SetBytes(int64(len(media)))
	for b.Loop() {
		if got := r.Mask(media); len(got) != len(media) || got[0] != 'h' {
			b.Fatal("it is written over")
		}
	}
}
