package console_test

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/firstframe/firstframe/collector/console"
)

var handler = sync.OnceValue(console.Handler)

func get(t *testing.T, method, path string, header map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	handler().ServeHTTP(w, r)
	return w.Result()
}

func TestEveryFileIsServed(t *testing.T) {
	want := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
	}
	root := os.DirFS("static")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		res := get(t, "GET", "/"+name, nil)
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		if res.StatusCode != 200 || string(body) != string(text) {
			t.Errorf("%s: status %d, %d bytes, want 200 and the %d of the file", name, res.StatusCode, len(body), len(text))
		}
		contentType := "text/plain; charset=utf-8"
		for ext, known := range want {
			if strings.HasSuffix(name, ext) {
				contentType = known
			}
		}
		for header, want := range map[string]string{
			"Content-Type": contentType, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding",
		} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPage(t *testing.T) {
	res := get(t, "GET", "/", nil)
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q allows what is unsafe", policy)
	}
	for _, not := range []string{"<style", " style=", "http:", "https:", "onclick"} {
		if strings.Contains(string(page), not) {
			t.Errorf("the page holds %q", not)
		}
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	for _, encoding := range []string{"", "gzip, br"} {
		first := get(t, "GET", "/style.css", map[string]string{"Accept-Encoding": encoding})
		tag := first.Header.Get("ETag")
		again := get(t, "GET", "/style.css", map[string]string{"Accept-Encoding": encoding, "If-None-Match": tag})
		if tag == "" || again.StatusCode != http.StatusNotModified {
			t.Errorf("encoding %q: ETag %s is answered with %d, want 304", encoding, tag, again.StatusCode)
		}
		other := get(t, "GET", "/style.css", map[string]string{"Accept-Encoding": encoding, "If-None-Match": `"other"`})
		if other.StatusCode != http.StatusOK {
			t.Errorf("encoding %q: another ETag is answered with %d, want 200", encoding, other.StatusCode)
		}
	}
}

func TestCompression(t *testing.T) {
	for _, c := range []struct {
		name, accept string
		packed       bool
	}{
		{"none", "", false},
		{"browser", "gzip, deflate, br", true},
		{"case", "GZIP", true},
		{"refused", "gzip;q=0, br", false},
		{"refused at length", "gzip; q=0.000", false},
		{"weighted", "br;q=1.0, gzip;q=0.5", true},
		{"other", "br", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := get(t, "GET", "/style.css", map[string]string{"Accept-Encoding": c.accept})
			if got := res.Header.Get("Content-Encoding") == "gzip"; got != c.packed {
				t.Fatalf("gzip is %v, want %v", got, c.packed)
			}
			if !c.packed {
				return
			}
			unpacked, err := gzip.NewReader(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(unpacked)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile("static/style.css")
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Error("unpacked it is not the file")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/nothing", 404}, {"GET", "/js", 404}, {"GET", "/js/", 404}, {"GET", "/../console.go", 404}, {"GET", "/package.json", 404},
		{"POST", "/", 405}, {"HEAD", "/", 200},
	} {
		if res := get(t, c.method, c.path, nil); res.StatusCode != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, res.StatusCode, c.status)
		}
	}
}
