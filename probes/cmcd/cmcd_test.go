package cmcd

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEncoding(t *testing.T) {
	zero, some := time.Duration(0), 2349*time.Millisecond
	for _, tt := range []struct {
		name string
		data Data
		want string // of the query, decoded
	}{
		{"nothing", Data{}, ""},
		{"a manifest", Data{OT: 'm', SF: 'h', SID: "4bf9", SU: true}, `ot=m,sf=h,sid="4bf9",su`},
		{"a segment", Data{BL: &zero, BR: 2450.4, D: 4004 * time.Millisecond, MTP: 1049, NOR: "1.ts", OT: Muxed, SF: 'h', SID: "a", ST: 'v', SU: true, TB: 5340},
			`bl=0,br=2450,d=4004,mtp=1000,nor="1.ts",ot=av,sf=h,sid="a",st=v,su,tb=5340`},
		{"rounded", Data{BL: &some, MTP: 1050}, `bl=2300,mtp=1100`},
		{"what comes next", Data{BL: &zero, DL: &some, NOR: "..%2F1.ts", NRR: "12-", SU: true}, `bl=0,dl=2300,nor="..%2F1.ts",nrr="12-",su`},
		{"starved", Data{BS: true, CID: `a "b" \c`}, `bs,cid="a \"b\" \\c"`},
		{"what no header can hold", Data{CID: "a\nb", SID: strings.Repeat("x", 65), NOR: strings.Repeat("x", 1025), BR: -1, OT: ';'}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, err := url.ParseQuery(tt.data.Query())
			if err != nil || q.Get("CMCD") != tt.want || strings.ContainsAny(tt.data.Query(), ` ,"+`) {
				t.Errorf("%s (%v), want %s", tt.data.Query(), err, tt.want)
			}
		})
	}
}

func TestHeader(t *testing.T) {
	zero := time.Duration(0)
	d := Data{BL: &zero, BR: 830, BS: true, CID: "c", D: time.Second, MTP: 500, OT: 'v', SF: 'd', SID: "s", ST: 'l', SU: true, TB: 5340}
	want := http.Header{
		"Cmcd-Object": {"br=830,d=1000,ot=v,tb=5340"}, "Cmcd-Request": {"bl=0,mtp=500,su"},
		"Cmcd-Session": {`cid="c",sf=d,sid="s",st=l`}, "Cmcd-Status": {"bs"},
	}
	if diff := cmp.Diff(want, d.Header()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len((&Data{}).Header()) != 0 {
		t.Error("nothing to say, and yet headers")
	}
}

func TestAddTo(t *testing.T) {
	d := Data{SID: "x"}
	const arg = "CMCD=sid%3D%22x%22"
	for address, want := range map[string]string{
		"https://h/a":                      "https://h/a?" + arg,
		"https://h/a?t=%7e":                "https://h/a?t=%7e&" + arg,
		"https://h/a?t=1#f":                "https://h/a?t=1&" + arg + "#f",
		"https://h/a?":                     "https://h/a?" + arg,
		"https://h/a?CMCD=sid%3D%22y%22":   "https://h/a?" + arg,
		"https://h/a?b=1&CMCD=y&c=2":       "https://h/a?b=1&c=2&" + arg,
		"https://h/a?XCMCD=1":              "https://h/a?XCMCD=1&" + arg,
		"https://h/a?b=1&CMCD=y#CMCD=here": "https://h/a?b=1&" + arg + "#CMCD=here",
	} {
		if got := d.AddTo(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestNext(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"https://h/v/1.ts", "https://h/v/2.ts", "2.ts"},
		{"https://h/v/1.ts?a=1", "https://h/v/2.ts?b=1", "2.ts%3Fb%3D1"},
		{"https://h/v/a/1.ts", "https://h/v/b/c/2.ts", "..%2Fb%2Fc%2F2.ts"},
		{"https://h/1.ts", "https://g/2.ts", "https%3A%2F%2Fg%2F2.ts"},
		{"https://h/1.ts", "https://me:pw@g/2.ts?a=b c", "https%3A%2F%2Fg%2F2.ts%3Fa%3Db%20c"},
		{"https://me:pw@h/1.ts", "https://me:pw@h/2.ts", "2.ts"},
		{"https://me:pw@h/1.ts", "https://me:pw@h/1.ts", ""},
		{"https://h/1.ts", "https://h/1.ts", ""},
		{"https://h/1.ts", "http://[", ""},
	} {
		if got := Next(tt.from, tt.to); got != tt.want {
			t.Errorf("%s to %s: %q, want %q", tt.from, tt.to, got, tt.want)
		}
	}
}

// Headers and query say the same, each key once and in order, with values that
// are as asked for.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bl := time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "bl"))
		d := Data{
			BL: &bl, BR: rapid.Float64().Draw(t, "br"), MTP: rapid.Float64Range(0, 1e7).Draw(t, "mtp"), CID: rapid.String().Draw(t, "cid"),
			NOR: rapid.String().Draw(t, "nor"), OT: rapid.Byte().Draw(t, "ot"), SID: rapid.StringMatching(`[ -~]{0,70}`).Draw(t, "sid"),
			SU: rapid.Bool().Draw(t, "su"), D: time.Duration(rapid.Int64().Draw(t, "d")),
		}
		var keys, said, inHeaders []string
		for _, f := range d.fields() {
			key, _, _ := strings.Cut(f.text, "=")
			keys, said = append(keys, key), append(said, f.text)
		}
		if !slices.IsSorted(keys) || len(slices.Compact(slices.Clone(keys))) != len(keys) {
			t.Fatalf("keys %v", keys)
		}
		length := 0
		for _, lines := range d.Header() {
			inHeaders = append(inHeaders, lines[0])
			length += len(lines[0]) + 1
		}
		q, err := url.ParseQuery(d.Query())
		if err != nil || q.Get("CMCD") != strings.Join(said, ",") || length != len(q.Get("CMCD"))+1 {
			t.Fatalf("%v: query %q, headers %q", err, q.Get("CMCD"), inHeaders)
		}
		if strings.Contains(q.Get("CMCD"), "bl=") && !strings.Contains(q.Get("CMCD")+",", "00,") && bl >= 50*time.Millisecond {
			t.Fatalf("not rounded: %q", q.Get("CMCD"))
		}
	})
}

// FuzzStrip: what is added is taken away again, and all else stays.
func FuzzStrip(f *testing.F) {
	f.Add("https://h/a?b=1&CMCD=y#f", "sid")
	f.Add("https://h/a", "")
	f.Fuzz(func(t *testing.T, address, sid string) {
		plain := Strip(address)
		d := Data{SID: sid, OT: 'v'}
		if again := Strip(d.AddTo(address)); again != Strip(plain) && again != strings.TrimSuffix(plain, "?") && !strings.Contains(plain, "?#") && !strings.HasSuffix(plain, "&") && !strings.Contains(plain, "&#") {
			t.Errorf("%q became %q", plain, again)
		}
		if strings.Contains(plain, "?CMCD=") && !strings.Contains(strings.SplitN(plain, "?CMCD=", 2)[0], "#") && !strings.Contains(strings.SplitN(plain, "?CMCD=", 2)[0], "?") {
			t.Errorf("%q still says it", plain)
		}
		Next(address, sid)
	})
}
