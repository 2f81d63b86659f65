package player

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
)

// Keys and initialization segments may be in the manifest itself (RFC 2397):
// nothing is asked for.
func TestInline(t *testing.T) {
	key := []byte("0123456789abcdef")
	plain := labFile(t, "/cmaf/v360/0.m4s")
	cipher := sealed(t, key, plain)
	init := "data:video/mp4;base64," + base64.StdEncoding.EncodeToString(labFile(t, "/cmaf/v360/init.mp4"))
	for _, tt := range []struct {
		name, key, init string
		typ             run.ErrorType
		step            run.StepName
	}{
		{"text", "data:,0123456789abcdef", init, "", ""},
		{"base64", "data:text/plain;base64,MDEyMzQ1Njc4OWFiY2RlZg==", init, "", ""},
		{"base64 without padding, escaped", "DATA:;base64,MDEyMzQ1Njc4OWFiY2RlZg%3D", init, "", ""},
		{"a key too short", "data:,0123", init, run.ErrDecrypt, run.StepKey},
		{"no base64", "data:;base64,!", init, run.ErrManifestInvalid, run.StepKey},
		{"no comma", "data:x", init, run.ErrManifestInvalid, run.StepKey},
		{"an init segment of text", "data:,0123456789abcdef", "data:,hello+there", run.ErrMediaInvalid, run.StepInit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t, map[string]string{"/l.m3u8": fmt.Sprintf("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=%q\n#EXT-X-KEY:METHOD=AES-128,URI=%q,IV=0x0\n#EXTINF:1.92,\n/s\n#EXT-X-ENDLIST\n", tt.init, tt.key)},
				map[string]rule{"/s": answer200(cipher)})
			r := press(t, o, "/l.m3u8", quick(ideal), run.App{})
			if tt.typ != "" {
				if r.Error != tt.typ || r.Step != tt.step || r.Frame != nil {
					t.Errorf("%s at %s: %s, want %s at %s", r.Error, r.Step, r.Detail, tt.typ, tt.step)
				}
				return
			}
			if good(t, r); names(r) != "manifest segment.v" {
				t.Errorf("asked for %s", names(r))
			}
		})
	}
}

// FuzzInline: whatever an address holds, bytes or a fault.
func FuzzInline(f *testing.F) {
	for _, s := range []string{"data:,", "data:;base64,AAAA", "data:;base64,%", "DATA:text/plain;charset=x;BASE64,__--", "data:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, u string) {
		if !isInline(u) {
			return
		}
		b, err := decodeInline(u)
		var fault *fault
		if err != nil && (!errors.As(err, &fault) || b != nil) || len(b) > len(u) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	})
}
