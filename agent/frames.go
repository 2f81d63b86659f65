package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/agent/frame"
	"github.com/firstframe/firstframe/agent/report"
	"github.com/firstframe/firstframe/probes"
	"github.com/firstframe/firstframe/probes/player"
)

// frameFlags say whether first frames are saved.
type frameFlags struct {
	Frame string `help:"Save the first frame as a viewer would see it, as PNG, and say whether it is black or frozen. Needs ffmpeg. Of several streams, CDNs, apps or connections each has a file of its own: FILE-NAME.png." placeholder:"FILE.png"`
}

// frames saves first frames: of each spec that of its first run that has one.
// nil saves none.
type frames struct {
	env     *environment
	decoder *frame.Decoder
	files   []string // by spec
	names   []string
	shots   []*report.Frame
	footage *player.Footage // of the run that is being made
}

// frames is what saves the specs' first frames. The error is the user's.
func (f *frameFlags) frames(env *environment, specs []probes.Spec) (*frames, error) {
	if f.Frame == "" {
		return nil, nil
	}
	ext := filepath.Ext(f.Frame)
	if !strings.EqualFold(ext, ".png") {
		return nil, usageError{fmt.Errorf("--frame %s: the picture is a PNG, so its name has to end in .png", f.Frame)}
	}
	if err := inFolder("--frame", f.Frame); err != nil {
		return nil, usageError{err}
	}
	decoder, err := frame.Find()
	if err != nil {
		return nil, usageError{fmt.Errorf("--frame: %w", err)}
	}
	all := &frames{env: env, decoder: decoder, shots: make([]*report.Frame, len(specs))}
	all.names = namesOf(specs)
	for _, suffix := range suffixes(all.names) {
		all.files = append(all.files, strings.TrimSuffix(f.Frame, ext)+suffix+ext)
	}
	return all, nil
}

// namesOf tell specs from one another: by target, CDN, app and connection, as
// far as they differ.
func namesOf(specs []probes.Spec) []string {
	var streams []string
	parts := []func(*probes.Spec) string{
		func(s *probes.Spec) string {
			if s.Target.Name != "" {
				return s.Target.Name
			}
			n := slices.Index(streams, s.Target.URL)
			if n < 0 {
				n, streams = len(streams), append(streams, s.Target.URL)
			}
			return fmt.Sprintf("stream %d", n+1)
		},
		func(s *probes.Spec) string { return s.CDN.Name },
		func(s *probes.Spec) string { return strings.Trim(s.App.Name+"@"+s.App.Version, "@") },
		func(s *probes.Spec) string { return s.Target.Connection },
	}
	names := make([][]string, len(specs))
	for _, part := range parts {
		same := !slices.ContainsFunc(specs, func(s probes.Spec) bool { return part(&s) != part(&specs[0]) })
		for i := range specs {
			if p := part(&specs[i]); !same && p != "" {
				names[i] = append(names[i], p)
			}
		}
	}
	var all []string
	for _, n := range names {
		all = append(all, strings.Join(n, " · "))
	}
	return all
}

// suffixes are the names as parts of a file's, no two of them the same: with a
// number where the names do not tell.
func suffixes(names []string) []string {
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}
	var all []string
	for i, name := range names {
		s := ""
		for _, part := range strings.Split(name, " · ") {
			if part != "" {
				s += "-" + strings.Map(safe, part)
			}
		}
		if slices.Contains(all, s) {
			s += fmt.Sprintf("-%d", i+1)
		}
		all = append(all, s)
	}
	return all
}

// want is the spec with what is needed for its first frame, unless that is
// there.
func (f *frames) want(i int, spec probes.Spec) probes.Spec {
	if f != nil && f.shots[i] == nil {
		f.footage = nil
		spec.Footage = func(got player.Footage) { f.footage = &got }
	}
	return spec
}

// take saves the first frame of the spec's run, if it has one to save. Of one
// that cannot be shown it keeps why.
func (f *frames) take(ctx context.Context, i int) error {
	if f == nil || f.footage == nil {
		return nil
	}
	footage := *f.footage
	f.footage = nil
	shot := &report.Frame{Name: f.names[i]}
	picture, err := f.decoder.Decode(ctx, footage)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && (errors.Is(err, frame.ErrProtected) || errors.Is(err, frame.ErrDecode) || errors.Is(err, context.DeadlineExceeded)):
		shot.Missing = err.Error()
	case err != nil:
		return fmt.Errorf("--frame: %w", err)
	default:
		shot.File, shot.JPEG, shot.Notes = f.files[i], picture.Small, picture.Notes()
		shot.Width, shot.Height, shot.HDR = picture.Width, picture.Height, picture.HDR
		if err := writeFile(shot.File, func(w io.Writer) error { _, err := w.Write(picture.PNG); return err }); err != nil {
			return fmt.Errorf("--frame: %w", err)
		}
	}
	f.shots[i] = shot
	return nil
}

// taken are the first frames that there are, in the order of the specs.
func (f *frames) taken() []report.Frame {
	if f == nil {
		return nil
	}
	var all []report.Frame
	for _, s := range f.shots {
		if s != nil {
			all = append(all, *s)
		}
	}
	return all
}

// warn says on stderr what is wrong with the pictures.
func (f *frames) warn() {
	for _, s := range f.taken() {
		name := s.File
		if s.Missing != "" {
			name = strings.Trim("--frame "+s.Name, " ")
		}
		for _, what := range append(s.Notes, s.Missing) {
			if what != "" {
				fmt.Fprintln(f.env.stderr, report.Line(fmt.Sprintf("agent: %s: %s", name, what)))
			}
		}
	}
}
