package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firstframe/firstframe/agent/bundles"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/run"
)

// A member of a fleet keeps a bundle of a run that failed, of those that failed
// alike one in a while, and none of those that went well.
func TestMemberKeeps(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/media/", http.StripPrefix("/media", http.FileServer(http.Dir(media))))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	dir := t.TempDir()
	m := &member{bundles: &bundles.Dir{Path: dir, Every: time.Hour}, log: slog.New(slog.DiscardHandler)}
	spec := func(path string) probes.Spec {
		return probes.Spec{Target: run.Target{Name: "news", URL: srv.URL + path, Timeout: 5 * time.Second}, Network: probes.Network{AllowPrivate: true}}
	}
	kept := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if r := m.press(context.Background(), spec("/media/ts/master.m3u8")); !r.OK || len(kept()) != 0 {
		t.Errorf("ok %v, kept %v", r.OK, kept())
	}
	first := m.press(context.Background(), spec("/none.m3u8"))
	m.press(context.Background(), spec("/none.m3u8"))
	names := kept()
	if len(names) != 1 {
		t.Fatalf("kept %v, want one", names)
	}
	b, err := bundle.Open(names[0])
	if err != nil || b.Run.RunID != first.RunID || b.Run.ErrorType != run.ErrHTTP4xx {
		t.Fatalf("%+v, %v", b, err)
	}
	if again := probes.Replay(context.Background(), b); len(again.Changed) > 0 {
		t.Error(again.Changed)
	}
	// A directory that cannot be written to costs the bundle, not the run.
	m.bundles = &bundles.Dir{Path: filepath.Join(names[0], "below a file")}
	if r := m.press(context.Background(), spec("/none.m3u8")); r.ErrorType != run.ErrHTTP4xx {
		t.Errorf("%s", r.ErrorType)
	}
	if info, err := os.Stat(names[0]); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
}
