package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The two sides of a comparison.
const (
	realSide  = "real"
	probeSide = "probe"
)

// play is one measurement.
type play struct {
	cell
	Side  string `json:"side"`
	Round int    `json:"round"`
	Of    string `json:"of"`    // which player and browser, or a digest of the agent
	Media string `json:"media"` // a digest of the media
	Over  string `json:"over"`  // link or shaper

	TTFF     float64   `json:"ttff_ms"` // 0 if it failed
	Height   int       `json:"height"`  // of the first picture
	Error    string    `json:"error,omitempty"`
	ErrorMs  float64   `json:"error_ms,omitempty"` // when it said so; 0: it was not the player or the probe that did
	At       time.Time `json:"at"`
	Load     float64   `json:"load"`               // the machine's load average before it
	Realtime bool      `json:"realtime,omitempty"` // it went before the machine's other work

	Onwards *onwards `json:"onwards,omitempty"` // after the first picture

	Requests []request `json:"requests,omitempty"`  // by when they came
	Needed   float64   `json:"needed_ms,omitempty"` // the last answer that the picture waited for; see needed
}

// told says whether the play has come to a verdict: a picture or, where there was
// a fault, an error.
func (p play) told() bool { return p.Error == "" || p.Fault != "" && p.ErrorMs > 0 }

// key says which play of the matrix it is.
func (p play) key() string {
	return fmt.Sprint(p.cell, p.Side, p.Round, p.Of, p.Media, p.Over)
}

// journal keeps measurements, one line of JSON each.
type journal struct {
	plays []play
	file  *os.File
	have  map[string]bool // keys of those that came to a verdict
}

// openJournal reads what has been measured. A last line that was cut short is
// taken off.
func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, have: map[string]bool{}}
	if err := j.read(path); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

func (j *journal) read(path string) error {
	end := int64(0)
	lines := bufio.NewReader(j.file)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		var p play
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&p); err != nil {
			return fmt.Errorf("%s line %d: %w", path, n, err)
		}
		j.remember(p)
		end += int64(len(line))
	}
	if err := j.file.Truncate(end); err != nil {
		return err
	}
	_, err := j.file.Seek(end, io.SeekStart)
	return err
}

func (j *journal) remember(p play) {
	j.plays = append(j.plays, p)
	j.have[p.key()] = j.have[p.key()] || p.told()
}

// add keeps a measurement.
func (j *journal) add(p play) error {
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	j.remember(p)
	return nil
}

func (j *journal) close() error { return j.file.Close() }

// digestFile is a short digest of a file's content.
func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}

// digestTree is a short digest of the names and contents below a folder.
func digestTree(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		digest, err := digestFile(path)
		fmt.Fprintln(h, path[len(dir):], digest)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), err
}
