//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package events

import (
	"fmt"
	"os"
)

// lockDir refuses: without a lock two instances could spoil each other's spool.
func lockDir(dir string) (*os.File, error) {
	return nil, fmt.Errorf("spool folder %s: this system has no file locks, leave the spool out", dir)
}
