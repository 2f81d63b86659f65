package report

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"golang.org/x/net/html"
)

// written is the page of the runs, as text and as a tree.
func written(t *testing.T, runs []run.Run) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, runs); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), root
}

// find are the elements with that class, or of that name.
func find(root *html.Node, name string) (found []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (n.Data == name || strings.Contains(" "+attr(n, "class")+" ", " "+name+" ")) {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// across is where a rectangle begins and how wide it is, per cent.
func across(t *testing.T, n *html.Node) (x, width float64) {
	t.Helper()
	x, err1 := strconv.ParseFloat(strings.TrimSuffix(attr(n, "x"), "%"), 64)
	width, err2 := strconv.ParseFloat(strings.TrimSuffix(attr(n, "width"), "%"), 64)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return x, width
}

// The picture of a run is to scale.
func TestHTMLWaterfall(t *testing.T) {
	_, root := written(t, []run.Run{played()})
	steps := find(root, "step")
	if len(steps) != 5 { // the axis and four steps
		t.Fatalf("%d rows", len(steps))
	}
	end := 612.4 * 1.02
	segment := find(steps[3], "rect")
	for i, want := range []struct {
		class    string
		from, ms float64
	}{{"k-wait", 243.4, 120}, {"k-receive", 363.4, 202}} {
		x, width := across(t, segment[i])
		if attr(segment[i], "class") != want.class || abs(x-want.from/end*100) > 0.01 || abs(width-want.ms/end*100) > 0.01 {
			t.Errorf("%s at %v, %v wide, want %+v", attr(segment[i], "class"), x, width, want)
		}
	}
	if got := textOf(steps[3]); !strings.Contains(got, "segment video") || !strings.HasSuffix(got, "322 ms2001.7 MB") {
		t.Errorf("segment's row is %q", got)
	}
	if line := find(steps[3], "frame"); len(line) != 1 || attr(line[0], "x1") != "98.04%" {
		t.Errorf("the first frame is marked at %v", line)
	}
	sums := textOf(find(root, "sums")[0])
	if !strings.Contains(sums, "ttfb 120 ms") || !strings.Contains(sums, "= 612 ms network 540 ms, player 72 ms") {
		t.Errorf("sums %q", sums)
	}
	total := 0.0
	for _, b := range find(find(root, "path")[0], "rect") {
		_, width := across(t, b)
		total += width
	}
	if abs(total-100) > 0.1 {
		t.Errorf("the phases cover %v %% of the critical path", total)
	}
	if len(find(root, "row")) != 0 {
		t.Error("one run is compared")
	}
}

func abs(v float64) float64 { return max(v, -v) }

func TestHTMLComparison(t *testing.T) {
	_, root := written(t, rounds(20))
	spreads := find(root, "spread")
	if len(spreads) != 4 {
		t.Fatalf("%d groups", len(spreads))
	}
	if n := len(find(spreads[2], "circle")); n != 19 { // one run failed
		t.Errorf("%d dots of b · cold, want 19", n)
	}
	if got := attr(spreads[2], "aria-label"); got != "19 of 20 runs reached the first frame, from 530 ms to 1.19 s, half of them in 706 ms" {
		t.Errorf("described as %q", got)
	}
	pairs := find(root, "pairs")[0]
	if got := textOf(find(pairs, "row")[1]); got != "b − a · cold19/20 pairs +40 ms+35 ms … +46 msslower" {
		t.Errorf("difference %q", got)
	}
	// 60 runs are the bound: of 80 those that stand for the others are drawn.
	if drawn := find(root, "run"); len(drawn) != 4*3+1 {
		t.Errorf("%d runs are drawn, want three for each group and the failure", len(drawn))
	}
	if open := openOnes(root); open != 5 { // the medians, and the failure
		t.Errorf("%d are unfolded", open)
	}
}

func openOnes(root *html.Node) (n int) {
	for _, d := range find(root, "run") {
		for _, a := range d.Attr {
			if a.Key == "open" {
				n++
			}
		}
	}
	return n
}

// hostile are texts as a server could send them.
var hostile = []string{
	`"><script>alert(1)</script>`, `'--><img src=https://evil.example/x onerror=alert(1)>`, `javascript:alert(1)`, `</style><style>*{background:url(//evil.example)}`,
	`{{.Style}}`, "</title></svg></details>", "\x1b[2J\x1b]0;owned\a", "a\u202egnp.exe", "a\r\nSet-Cookie: x", "\xff\xfe\x00", strings.Repeat("long ", 10_000),
}

// evil is a run whose every text is hostile.
func evil(i int, text string) run.Run {
	r := failed()
	if i%2 == 0 {
		r = played()
	}
	for k := range run.Fields {
		if f := &run.Fields[k]; f.Type == run.String {
			if err := f.Set(&r, text); err != nil {
				panic(err)
			}
		}
	}
	r.Round = "r"
	for k := range r.Steps {
		s := &r.Steps[k]
		s.Name, s.Track, s.Remote, s.Proto, s.Error, s.Detail = run.StepName(text), text, text, text, run.ErrorType(text), text
		s.URL = "https://live.example/" + text
		s.Connects = []string{text}
		s.Headers = map[string][]string{text: {text, text}, "x-cache": {text}}
	}
	return r
}

// What servers send is text: it loads nothing, runs nothing, and leaves the page
// as it is.
func TestHTMLHostile(t *testing.T) {
	var runs []run.Run
	for i, text := range hostile {
		runs = append(runs, evil(i, text))
	}
	page, root := written(t, runs)
	plain, _ := written(t, []run.Run{played()})
	styles := find(root, "style")
	if len(styles) != 1 || textOf(styles[0]) == "" || !strings.Contains(plain, styles[0].FirstChild.Data) {
		t.Errorf("%d styles, or another than the page's own", len(styles))
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "img", "image", "iframe", "object", "embed", "a", "link", "base", "form", "use", "foreignobject", "video", "audio":
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" || a.Key == "style" || a.Key == "srcset" || a.Key == "action" {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
	if len(find(root, "run")) != len(hostile) || len(find(root, "main")) != 1 {
		t.Errorf("the page lost its form: %d runs", len(find(root, "run")))
	}
	if text := textOf(root); !strings.Contains(text, `"><script>alert(1)</script>`) {
		t.Error("the text is not shown as text")
	}
	if i := strings.IndexAny(page, "\x00\x1b\a\r\u202e"); i >= 0 {
		t.Errorf("a character that is not to be seen at %d: %q", i, page[max(0, i-20):i+20])
	}
	if !strings.Contains(page, "default-src &#39;none&#39;") && !strings.Contains(page, "default-src 'none'") {
		t.Error("the page may load something")
	}
	if len(page) > 3<<20 {
		t.Errorf("%d bytes", len(page))
	}
}

// A terminal gets no control characters from servers either.
func TestTerminalHostile(t *testing.T) {
	var runs []run.Run
	var b bytes.Buffer
	p := New(&b, 80)
	for i, text := range hostile {
		r := evil(i, text)
		runs = append(runs, r)
		if err := p.Waterfall(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Table(runs); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexAny(b.String(), "\x00\x1b\a\r\u202e"); i >= 0 {
		t.Errorf("a character that is not to be seen: %q", b.String()[max(0, i-20):i+20])
	}
}

// No run makes a page too, and many make one of bounded size.
func TestHTMLBounds(t *testing.T) {
	written(t, nil)
	var runs []run.Run
	for i := range 5000 {
		r := played()
		ttff := 300 + float64(i*7919%2000)
		r.CDN, r.Round, r.TTFFMs, r.Good = fmt.Sprint("cdn-", i%2), fmt.Sprint(i/2), &ttff, ttff < 2000
		runs = append(runs, r)
	}
	page, root := written(t, runs)
	if len(page) > 1<<20 {
		t.Errorf("5000 runs make %d bytes", len(page))
	}
	if n := len(find(root, "run")); n != 6 {
		t.Errorf("%d runs are drawn, want three for each group", n)
	}
	r := played()
	for range 1000 {
		r.Steps = append(r.Steps, r.Steps[2])
	}
	_, root = written(t, []run.Run{r})
	if n := len(find(root, "step")); n != maxRows+1 {
		t.Errorf("%d rows, want %d and the axis", n, maxRows)
	}
}

func FuzzClean(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := clean(text)
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e }) || clean(got) != got && len(got) <= maxText {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func BenchmarkHTML(b *testing.B) {
	runs := rounds(50)
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		if err := HTML(&out, runs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(runs)), "runs/op")
}
