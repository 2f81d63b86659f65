package bundle

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// small is a bundle of a run with two exchanges.
func small() *Bundle {
	first := 12.5
	return &Bundle{
		Run:   run.Run{RunID: "018f00000000000000000000000000e2", StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 1, time.UTC), ErrorType: run.ErrDecrypt, ErrorStep: run.StepSegment},
		Probe: ProbeOf(run.Target{URL: "https://x.example/m.m3u8", Timeout: 1500 * time.Microsecond}, run.CDN{Name: "a"}, run.App{Player: "hlsjs@1.7.4"}, Network{}),
		Exchanges: []Exchange{
			{
				Step: run.StepManifest, Attempt: 1, StartMs: 0.25, Request: Request{Method: "GET", URL: "https://x.example/m.m3u8"},
				DNSMs: 1, ConnectMs: 2.5, WaitMs: 9, ReceiveMs: 0.5, FirstByteMs: &first, Remote: "203.0.113.7:443", Status: 200,
				Attempts: []Connect{{Network: "tcp", Address: "203.0.113.7:443", StartMs: 1, EndMs: &first}},
				Headers:  map[string][]string{"X-Cache": {"HIT"}}, Bytes: 7,
				Body: &Body{File: "bodies/0001.m3u8", Size: 7, Text: true, Pieces: []Piece{{12.5, 4}, {13, 3}}, Data: []byte("#EXTM3U")},
			},
			{
				Step: run.StepSegment, Track: "video", Attempt: 2, StartMs: 14, Request: Request{Method: "GET", URL: "https://x.example/1.ts", Range: &Range{Offset: 5}},
				ReceiveMs: 3, Status: 206, Error: &Failure{Type: run.ErrReset, Detail: "reset", Is: []string{"truncated"}}, Bytes: 10_000,
				Body: &Body{File: "bodies/0002.ts", Size: 10_000, Cut: true, Tail: 2, Pieces: []Piece{{1, 10_000}}, Data: []byte("Gabcxy")},
			},
		},
	}
}

// written is the bundle's file.
func written(t testing.TB, b *Bundle) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func read(file []byte) (*Bundle, error) { return Read(bytes.NewReader(file), int64(len(file))) }

// What is written is read as it was; ordinary tools find the files by name.
func TestRoundTrip(t *testing.T) {
	file := written(t, small())
	got, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(small(), got); diff != "" {
		t.Error(diff)
	}
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"run.json", "probe.json", "exchanges.jsonl", "bodies/0001.m3u8", "bodies/0002.ts"}, names); diff != "" {
		t.Error(diff)
	}
}

// The same of any exchange.
func TestRoundTripAny(t *testing.T) {
	text := rapid.StringN(0, 20, 60)
	at := rapid.Float64Range(0, maxMs)
	rapid.Check(t, func(t *rapid.T) {
		b := small()
		for i := range b.Exchanges {
			x := &b.Exchanges[i]
			x.StartMs, x.WaitMs = at.Draw(t, "start"), at.Draw(t, "wait")
			x.Request.URL = "u" + text.Draw(t, "url")
			x.Headers = rapid.MapOfN(text, rapid.SliceOfN(text, 1, 3), 1, 4).Draw(t, "headers")
			x.Status, x.Bytes = rapid.IntRange(0, 999).Draw(t, "status"), rapid.Int64Min(0).Draw(t, "bytes")
			if rapid.Bool().Draw(t, "without body") {
				x.Body = nil
				continue
			}
			data := rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "data")
			gone := rapid.Int64Range(0, 1<<29).Draw(t, "not kept")
			size := int64(len(data)) + gone
			first := rapid.Int64Range(0, size).Draw(t, "first piece")
			x.Body = &Body{File: fmt.Sprintf("bodies/%04d", i), Size: size, Cut: gone > 0, Data: data, Pieces: []Piece{{1, first}, {2, size - first}}}
			if gone > 0 {
				x.Body.Tail = rapid.Int64Range(0, int64(len(data))).Draw(t, "tail")
			}
		}
		var file bytes.Buffer
		if err := b.Write(&file); err != nil {
			t.Fatal(err)
		}
		got, err := read(file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, got, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

// Every field of a target, CDN and app is kept.
func TestProbeOf(t *testing.T) {
	target, cdn, app := run.Target{}, run.CDN{}, run.App{}
	for _, v := range []any{&target, &cdn, &app} {
		fill(t, reflect.ValueOf(v).Elem())
	}
	p := ProbeOf(target, cdn, app, Network{})
	b := small()
	b.Probe = p
	got, err := read(written(t, b))
	if err != nil {
		t.Fatal(err)
	}
	target2, cdn2, app2 := got.Probe.Spec()
	for _, diff := range []string{cmp.Diff(target, target2), cmp.Diff(cdn, cdn2), cmp.Diff(app, app2)} {
		if diff != "" {
			t.Error(diff)
		}
	}
}

// fill gives every field a value of its own.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	n := 1 + rand.Int64N(1e6)
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.String:
		v.SetString(fmt.Sprint("text ", n))
	case reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			n *= int64(time.Microsecond)
		}
		v.SetInt(n)
	case reflect.Float64:
		v.SetFloat(float64(n) / 8)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	default:
		t.Fatalf("a field of kind %s", v.Kind())
	}
}

// What is broken, too large or no bundle is refused, reading as writing.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Bundle)
		want   string
	}{
		{"a body elsewhere", func(b *Bundle) { b.Exchanges[0].Body.File = "../../etc/passwd" }, `file "../../etc/passwd"`},
		{"two with one body", func(b *Bundle) { b.Exchanges[1].Body.File = "bodies/0001.m3u8" }, "another's"},
		{"a body without a file", func(b *Bundle) { b.Exchanges[1].Body.File = "" }, "without a file"},
		{"a body too large", func(b *Bundle) { b.Exchanges[1].Body.Data = make([]byte, MaxBody+1) }, "more than 4194304"},
		{"less than its size", func(b *Bundle) { b.Exchanges[1].Body.Cut, b.Exchanges[1].Body.Tail = false, 0 }, "6 bytes of 10000 kept"},
		{"more than its size", func(b *Bundle) { b.Exchanges[1].Body.Size, b.Exchanges[1].Body.Pieces = 5, nil }, "6 bytes of 5 kept"},
		{"a tail longer than all", func(b *Bundle) { b.Exchanges[1].Body.Tail = 7 }, "tail"},
		{"pieces that are too few", func(b *Bundle) { b.Exchanges[0].Body.Pieces[0].Bytes = 3 }, "pieces of 6 bytes, want 7"},
		{"pieces that overflow", func(b *Bundle) { b.Exchanges[0].Body.Pieces[0].Bytes = 1<<63 - 1 }, "a piece of"},
		{"pieces that go back", func(b *Bundle) { b.Exchanges[0].Body.Pieces[1].AtMs = 1 }, "at 1 ms"},
		{"a negative piece", func(b *Bundle) { b.Exchanges[0].Body.Pieces[1].Bytes = -3 }, "a piece of"},
		{"a time before", func(b *Bundle) { b.Exchanges[0].StartMs = -1 }, "a time of -1 ms"},
		{"a time of a year", func(b *Bundle) { b.Exchanges[0].WaitMs = 365 * maxMs }, "a time of"},
		{"no URL", func(b *Bundle) { b.Exchanges[0].Request.URL = "" }, "no URL"},
		{"no address", func(b *Bundle) { b.Exchanges[0].Remote = "x" }, "remote address"},
		{"no date", func(b *Bundle) { b.Exchanges[0].TLSExpires = "soon" }, "tls_expires_at"},
		{"a type that is none", func(b *Bundle) { b.Run.ErrorType = "\x1b[2J" }, `failed of "\x1b[2J" at`},
		{"a step that is none", func(b *Bundle) { b.Exchanges[0].Step = "x" }, `step "x"`},
		{"a failure that is none", func(b *Bundle) { b.Exchanges[1].Error.Type = "x" }, `type "x"`},
		{"a body of a terabyte", func(b *Bundle) { b.Exchanges[1].Body.Size, b.Exchanges[1].Body.Pieces[0].Bytes = 1<<40, 1<<40 }, "bytes"},
		{"a range before", func(b *Bundle) { b.Exchanges[1].Request.Range.Offset = -5 }, "a range"},
		{"too many", func(b *Bundle) { b.Exchanges = make([]Exchange, MaxExchanges+1) }, "1001 exchanges"},
		{"too many pieces", func(b *Bundle) { b.Exchanges[0].Body.Pieces = make([]Piece, MaxPieces+1) }, "pieces"},
		{"a timeout of a year", func(b *Bundle) { b.Probe.Target.TimeoutMs = 365 * maxMs }, "target's times"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := small()
			tt.change(b)
			err := b.Write(&bytes.Buffer{})
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("writing: %v, want %q", err, tt.want)
			}
		})
	}
}

// What has more pieces than can be read is not written.
func TestWriteTooMuch(t *testing.T) {
	b := small()
	x := Exchange{Step: run.StepSegment, Request: b.Exchanges[0].Request, Body: &Body{Size: MaxPieces, Cut: true}}
	for i := range MaxPieces {
		x.Body.Pieces = append(x.Body.Pieces, Piece{AtMs: float64(i) + 0.123456, Bytes: 1})
	}
	b.Exchanges = slices.Repeat([]Exchange{x}, 70)
	if err := b.Write(&bytes.Buffer{}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "exchanges.jsonl: not a bundle: larger than 8388608 bytes") {
		t.Error(err)
	}
	b.Exchanges = b.Exchanges[:10]
	if got, err := read(written(t, b)); err != nil || len(got.Exchanges) != 10 {
		t.Error(err)
	}
}

// archive is a zip file of files by name.
func archive(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for i := 0; i < len(files); i += 2 {
		h := &zip.FileHeader{Name: files[i], Method: zip.Deflate}
		if name, ok := strings.CutPrefix(files[i], "link:"); ok {
			h.Name = name
			h.SetMode(fs.ModeSymlink | 0o777)
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	someRun   = `{"run_id":"1"}`
	someProbe = `{"format":1,"target":{"url":"u"},"cdn":{},"app":{},"network":{}}`
)

func TestReadRefuses(t *testing.T) {
	line := `{"step":"manifest","start_ms":0,"request":{"method":"GET","url":"u"},"queue_ms":0,"dns_ms":0,"connect_ms":0,"tls_ms":0,"wait_ms":0,"receive_ms":0,"bytes":0}` + "\n"
	all := func(more ...string) []string {
		return append([]string{runFile, someRun, probeFile, someProbe, exchangesFile, line}, more...)
	}
	if b, err := read(archive(t, all()...)); err != nil || len(b.Exchanges) != 1 {
		t.Fatalf("%v, %v", b, err)
	}
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "not a valid zip"},
		{"a page", []byte("<html>"), "not a valid zip"},
		{"cut", written(t, small())[:500], "not a valid zip"},
		{"no run", archive(t, probeFile, someProbe, exchangesFile, ""), "no run.json"},
		{"no exchanges", archive(t, runFile, someRun, probeFile, someProbe), "no exchanges.jsonl"},
		{"another file", archive(t, all("notes.txt", "x")...), `file "notes.txt"`},
		{"a path upwards", archive(t, all("bodies/../../x", "x")...), `file "bodies/../../x"`},
		{"a path from the root", archive(t, all("/bodies/0001", "x")...), `file "/bodies/0001"`},
		{"a folder", archive(t, all("bodies/", "")...), `file "bodies/"`},
		{"a link", archive(t, all("link:bodies/0001", "/etc/passwd")...), "bodies/0001"},
		{"twice", archive(t, all(runFile, someRun)...), `file "run.json"`},
		{"a body of nobody", archive(t, all("bodies/0001", "x")...), "1 bodies of no exchange"},
		{"run.json as a body", archive(t, runFile, someRun, probeFile, someProbe, exchangesFile, strings.TrimSuffix(line, "}\n")+`,"body":{"file":"probe.json","size":1,"pieces":[]}}`), "its own"},
		{"a later format", archive(t, runFile, someRun, probeFile, strings.Replace(someProbe, ":1", ":2", 1), exchangesFile, line), "format 2, this program knows 1"},
		{"an unknown key", archive(t, runFile, someRun, probeFile, strings.Replace(someProbe, `"url"`, `"urls"`, 1), exchangesFile, line), "urls"},
		{"an unknown field", archive(t, runFile, `{"nothing":1}`, probeFile, someProbe, exchangesFile, line), "not a field"},
		{"more behind", archive(t, runFile, someRun+"{}", probeFile, someProbe, exchangesFile, line), "more than is wanted"},
		{"too many exchanges", archive(t, runFile, someRun, probeFile, someProbe, exchangesFile, strings.Repeat(line, MaxExchanges+1)), "more than 1000"},
		{"a bomb", archive(t, all("bodies/0001", strings.Repeat("\x00", MaxBody+1))...), "more than 4194304 bytes"},
		{"a bomb of JSON", archive(t, runFile, `{"run_id":"`+strings.Repeat("x", maxPart)+`"}`, probeFile, someProbe, exchangesFile, line), "more than 8388608 bytes"},
		{"a bomb of steps", archive(t, runFile, `{"run_id":"\"{","steps":[`+strings.Repeat("{},", 20_000)+`{}]}`, probeFile, someProbe, exchangesFile, line), "run.json: 20002 objects, more than 20000"},
		{"a bomb of attempts", archive(t, runFile, someRun, probeFile, someProbe, exchangesFile, `{"connects":[`+strings.Repeat("{},", 20_000)+`{}]}`), "20002 objects, more than 3751"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if b, err := read(tt.file); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) || b != nil {
				t.Errorf("%v, %v, want %q", b != nil, err, tt.want)
			}
		})
	}
	if _, err := Read(bytes.NewReader(nil), MaxFile+1); !errors.Is(err, ErrInvalid) {
		t.Errorf("a file that is too large: %v", err)
	}
	bodies := all()
	for i := range MaxContent/MaxBody + 1 {
		bodies = append(bodies, fmt.Sprintf("bodies/%04d", i), strings.Repeat("\x00", MaxBody))
	}
	if _, err := read(archive(t, bodies...)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "more than") {
		t.Errorf("too much in all: %v", err)
	}
}

// A file is there whole or not at all, for its owner alone.
func TestSave(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.zip")
	if err := small().Save(name); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	bad := small()
	bad.Exchanges[0].StartMs = -1
	if err := bad.Save(name); err == nil {
		t.Error("what is invalid was saved")
	}
	if b, err := Open(name); err != nil || len(b.Exchanges) != 2 {
		t.Errorf("%v, %v", b, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(name)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v: something is left", entries, err)
	}
	if _, err := Open(filepath.Dir(name)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(name + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// FuzzRead: whatever is read is refused, or can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add(written(f, small()))
	f.Add(archive(f, runFile, someRun, probeFile, someProbe, exchangesFile, ""))
	f.Add(archive(f, "bodies/../../x", "x"))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(readTwice)
}

// readTwice reads a file, writes what that gave, and reads it again.
func readTwice(t *testing.T, file []byte) {
	b, err := read(file)
	if err != nil {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%v is of no class", err)
		}
		return
	}
	again, err := read(written(t, b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, again, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// FuzzExchanges is FuzzRead of the exchanges alone, which a fuzzer does not find
// under the compression.
func FuzzExchanges(f *testing.F) {
	var lines bytes.Buffer
	if err := small().lines(&lines); err != nil {
		f.Fatal(err)
	}
	f.Add(someProbe, lines.String())
	f.Fuzz(func(t *testing.T, probe, lines string) {
		readTwice(t, archive(t, runFile, someRun, probeFile, probe, exchangesFile, lines, "bodies/0001.m3u8", "#EXTM3U", "bodies/0002.ts", "Gabcxy"))
	})
}
