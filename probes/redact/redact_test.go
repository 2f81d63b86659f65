package redact

import (
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
		"eyJhbGciOiJIUzI1NiJ9.e30.x=token=", "/hdntl=exp=1~hmac=2/m", "\xff=\xfe://@", "://a@://token=:", "//a@//b@",
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

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{
		"plain":  "https://cdn.example/live/channel/1080p/segment-000123456.m4s?quality=high&start=0",
		"signed": "https://cdn.example/live/channel/1080p/segment-000123456.m4s?Expires=1700000000&Signature=abcdefghijklmnopqrstuvwxyz0123456789&Key-Pair-Id=K2JCJMDEHXQW5F",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if strings.Contains(Text(text), "abcdefgh") {
					b.Fatal("it is still there")
				}
			}
		})
	}
}
