//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package events

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir takes the folder for this sender until the file is closed, also by the
// process's end.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool folder %s cannot be used: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("spool folder %s is in use by another instance: give each its own", dir)
		}
		return nil, fmt.Errorf("spool folder %s cannot be locked: %w", dir, err)
	}
	return f, nil
}
