// Package console provides the collector's web page: a country × CDN matrix
// coloured by the share of good runs, success and time to first frame over
// time, the latest failed or slow runs, and the waterfall of each of them.
//
// The page is plain HTML, CSS and ES modules, served as they stand in the tree,
// so that building the collector needs no Node; Node only checks their types
// and runs their unit tests (npm run check). All numbers come from the
// collector's own /api/v1, nothing from another origin. The view (range,
// filters, chosen cell or run, time zone) lives in the page's address.
//
// Charts are drawn by Apache ECharts 6, chosen over uPlot for its releases of
// this year, touch and accessibility support; its build echarts.common, 240 kB
// compressed, is vendored unchanged with its licences.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var embedded embed.FS

// policy lets the page load from, and talk to, its own origin only.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// types are the content types by file extension. They are not asked of package
// mime, whose answers depend on the machine.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	"":      "text/plain; charset=utf-8", // licences
}

// minGzip is the size in bytes below which a file is not worth compressing.
const minGzip = 1 << 10

// file is an embedded file, ready to be sent.
type file struct {
	contentType string
	plain       body
	gzip        body // empty when not worth it
}

type body struct {
	data []byte
	etag string
}

// Handler serves the page at / and its files below it; any other path is not
// found. Files are to be asked for again each time, and answered with 304 while
// they are unchanged, so that a new collector never meets an old page.
func Handler() http.Handler {
	files, err := load(embedded)
	if err != nil {
		panic(fmt.Sprintf("console: embedded files: %v", err)) // the tree itself is broken
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "index.html"
		}
		f, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		f.serve(w, r)
	})
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	b := f.plain
	h := w.Header()
	h.Set("Vary", "Accept-Encoding")
	if len(f.gzip.data) > 0 && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		b = f.gzip
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", f.contentType)
	h.Set("ETag", b.etag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.data))
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			q, _ := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			return strings.Trim(q, "0.") != "" || q == ""
		}
	}
	return false
}

func load(fsys fs.FS) (map[string]*file, error) {
	root, err := fs.Sub(fsys, "static")
	if err != nil {
		return nil, err
	}
	files := map[string]*file{}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		contentType, ok := types[path.Ext(name)]
		if !ok {
			contentType = types[""]
		}
		f := &file{contentType: contentType, plain: makeBody(data)}
		if packed := compress(data); len(data) >= minGzip && len(packed) < len(data) {
			f.gzip = makeBody(packed)
		}
		files[name] = f
		return nil
	})
	return files, err
}

func makeBody(data []byte) body {
	return body{data: data, etag: fmt.Sprintf(`"%x"`, sha256.Sum256(data))[:33] + `"`}
}

func compress(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b) // writing to a bytes.Buffer cannot fail
	w.Write(data)
	w.Close()
	return b.Bytes()
}
