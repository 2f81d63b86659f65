package wal

import (
	"os"

	"golang.org/x/sys/unix"
)

// dataSync puts f's bytes and its length on disk; see fdatasync(2).
func dataSync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
