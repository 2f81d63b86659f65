//go:build !linux

package wal

import "os"

// dataSync puts f's bytes and its length on disk.
func dataSync(f *os.File) error { return f.Sync() }
