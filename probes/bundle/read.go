package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
)

// bodyName is what bodies are called.
var bodyName = regexp.MustCompile(`^bodies/[0-9]{4}(\.[a-z0-9]{1,5})?$`)

// Open reads a bundle from a regular file. Nothing else is opened: a pipe would
// wait for whoever writes to it. The error is of class [ErrInvalid], or the file
// cannot be read.
func Open(name string) (*Bundle, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if kind := kindOf(info.Mode()); kind != "" {
		return nil, fmt.Errorf("%w: %s is a %s, where a file is wanted", ErrInvalid, name, kind)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	defer f.Close()
	b, err := Read(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// kindOf is what has that mode, in words; empty of a regular file.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "folder"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "thing of another kind"
}

// Read reads a bundle of size bytes. The error is as of [Open].
func Read(r io.ReaderAt, size int64) (*Bundle, error) {
	if size > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrInvalid, size, MaxFile)
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	files, err := unpack(z)
	if err != nil {
		return nil, err
	}
	b := &Bundle{}
	if err := decode(files, runFile, func(d *json.Decoder) error { return d.Decode(&b.Run) }); err != nil {
		return nil, err
	}
	if err := decode(files, probeFile, func(d *json.Decoder) error { return d.Decode(&b.Probe) }); err != nil {
		return nil, err
	}
	if b.Probe.Format != Version {
		return nil, fmt.Errorf("%w: format %d, this program knows %d", ErrInvalid, b.Probe.Format, Version)
	}
	if err := decode(files, exchangesFile, b.readExchanges); err != nil {
		return nil, err
	}
	for i := range b.Exchanges {
		body := b.Exchanges[i].Body
		if body == nil || body.File == "" {
			continue
		}
		data, ok := files[body.File]
		if !ok || !bodyName.MatchString(body.File) {
			return nil, fmt.Errorf("%w: exchange %d: no body %q that is its own", ErrInvalid, i+1, body.File)
		}
		body.Data = data
		delete(files, body.File)
	}
	if len(files) > 0 {
		return nil, fmt.Errorf("%w: %d bodies of no exchange", ErrInvalid, len(files))
	}
	if err := b.Check(); err != nil {
		return nil, err
	}
	return b, nil
}

// unpack reads all files.
func unpack(z *zip.Reader) (map[string][]byte, error) {
	if len(z.File) > MaxExchanges+3 {
		return nil, fmt.Errorf("%w: %d files", ErrInvalid, len(z.File))
	}
	files := make(map[string][]byte, len(z.File))
	left := int64(MaxContent)
	for _, f := range z.File {
		_, twice := files[f.Name]
		limit := int64(maxPart)
		switch isBody := bodyName.MatchString(f.Name); {
		case twice, !f.Mode().IsRegular(), !isBody && f.Name != runFile && f.Name != probeFile && f.Name != exchangesFile:
			return nil, fmt.Errorf("%w: file %q", ErrInvalid, f.Name)
		case isBody:
			limit = MaxBody
		}
		limit = min(limit, left)
		data, err := readFile(f, limit)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, f.Name, err)
		}
		files[f.Name] = data
		left -= int64(len(data))
	}
	return files, nil
}

// readFile reads a file of at most limit bytes, whatever its header says.
func readFile(f *zip.File, limit int64) (data []byte, err error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if data, err = io.ReadAll(io.LimitReader(r, limit+1)); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return data, nil
}

// decode reads the JSON of a file, all of it, and takes the file off the list.
func decode(files map[string][]byte, name string, into func(*json.Decoder) error) error {
	data, ok := files[name]
	if !ok {
		return fmt.Errorf("%w: no %s", ErrInvalid, name)
	}
	delete(files, name)
	most := maxObjects
	if name == exchangesFile {
		most = len(data) / leastObject
	}
	if n := objects(data); n > most {
		return fmt.Errorf("%w: %s: %d objects, more than %d", ErrInvalid, name, n, most)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := into(d); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %s: more than is wanted", ErrInvalid, name)
	}
	return nil
}

// objects counts the objects of JSON. Empty ones of two bytes would take hundreds
// of bytes each once they are decoded.
func objects(data []byte) (n int) {
	text := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			text = !text
		case c == '\\' && text:
			i++
		case c == '{' && !text:
			n++
		}
	}
	return n
}

// readExchanges reads the exchanges up to the end.
func (b *Bundle) readExchanges(d *json.Decoder) error {
	for d.More() {
		if len(b.Exchanges) == MaxExchanges {
			return fmt.Errorf("more than %d exchanges", MaxExchanges)
		}
		var x Exchange
		if err := d.Decode(&x); err != nil {
			return err
		}
		b.Exchanges = append(b.Exchanges, x)
	}
	return nil
}
