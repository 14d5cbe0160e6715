package events

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// segmentFile is what the spool writes to.
type segmentFile interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// segment is one file of the spool.
type segment struct {
	number uint64
	path   string
	size   int64
	events int // not settled yet
}

// spool keeps batches on disk, oldest first. One goroutine uses it; the counters may be
// read by others.
type spool struct {
	dir          string
	sensor       string
	max          int64
	segmentBytes int64
	lock         *os.File
	create       func(path string) (segmentFile, error)

	segments []*segment // oldest first; the last is being written where active is set
	active   segmentFile
	number   uint64
	head     *frame // the frame to be sent next, once asked for
	data     []byte // the first segment, while it is read
	at       int
	reading  string // the sensor of the first segment
	// lastSequence is the highest sequence of this sensor found at start.
	lastSequence uint64

	bytes   atomic.Int64
	events  atomic.Int64
	damaged atomic.Uint64 // stretches that could not be read
	// missing is told how many events less than expected, or more where negative, a
	// segment held once it was read.
	missing func(events int)
}

// errSpoolFull says that the batch would not fit within the spool's bound.
var errSpoolFull = errors.New("the spool is full")

const segmentSuffix = ".spool"

// openSpool takes the folder and finds what an earlier process left there.
func openSpool(c Config, missing func(events int)) (*spool, error) {
	if err := os.MkdirAll(c.Spool, 0o700); err != nil {
		return nil, fmt.Errorf("spool folder %s cannot be made: %w", c.Spool, err)
	}
	lock, err := lockDir(c.Spool)
	if err != nil {
		return nil, err
	}
	s := &spool{
		dir: c.Spool, sensor: c.Sensor, max: c.SpoolBytes, lock: lock, missing: missing,
		segmentBytes: min(max(c.SpoolBytes/16, 1), 8<<20),
		create:       createSegment,
	}
	if err := s.scan(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("spool folder %s cannot be read: %w", c.Spool, err)
	}
	return s, nil
}

func createSegment(path string) (segmentFile, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
}

// scan lists the segments, and how many events their headers promise.
func (s *spool) scan() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, isSegment := strings.CutSuffix(entry.Name(), segmentSuffix)
		number, err := strconv.ParseUint(name, 10, 64)
		if !isSegment || err != nil {
			continue
		}
		s.number = max(s.number, number)
		seg := &segment{number: number, path: filepath.Join(s.dir, entry.Name())}
		found, err := inspect(seg.path)
		if err != nil {
			s.setAside(seg, err)
			continue
		}
		seg.size, seg.events = found.size, found.events
		if found.sensor == s.sensor {
			s.lastSequence = max(s.lastSequence, found.last)
		}
		s.segments = append(s.segments, seg)
		s.bytes.Add(seg.size)
		s.events.Add(int64(seg.events))
	}
	slices.SortFunc(s.segments, func(a, b *segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return nil
}

// setAside renames a file that is no segment of ours, so that it is neither lost nor
// met again; an empty one, left by a crash, is removed.
func (s *spool) setAside(seg *segment, reason error) {
	if info, err := os.Stat(seg.path); err == nil && info.Size() == 0 {
		_ = os.Remove(seg.path)
		return
	}
	s.damaged.Add(1)
	log.Warningf("spool file %s is set aside as .damaged: %v", seg.path, reason)
	_ = os.Rename(seg.path, seg.path+".damaged")
}

// append adds the batch. On errSpoolFull or an error of the file system the spool is as
// it was before.
func (s *spool) append(b *batch) error {
	framed := appendFrame(make([]byte, 0, frameHeader+len(b.body)), b)
	if s.active == nil {
		title := appendTitle(nil, s.sensor)
		if s.bytes.Load()+int64(len(title)+len(framed)) > s.max {
			return errSpoolFull
		}
		if err := s.begin(title); err != nil {
			return err
		}
	} else if s.bytes.Load()+int64(len(framed)) > s.max {
		return errSpoolFull
	}
	seg := s.segments[len(s.segments)-1]
	if _, err := s.active.Write(framed); err != nil {
		if s.active.Truncate(seg.size) != nil {
			s.seal() // the torn frame is skipped by its checksum
		}
		return fmt.Errorf("write to %s: %w", seg.path, err)
	}
	seg.size += int64(len(framed))
	seg.events += b.count
	s.bytes.Add(int64(len(framed)))
	s.events.Add(int64(b.count))
	if seg.size >= s.segmentBytes {
		s.seal()
	}
	return nil
}

// begin opens a new segment.
func (s *spool) begin(title []byte) error {
	s.number++
	seg := &segment{number: s.number, path: filepath.Join(s.dir, fmt.Sprintf("%020d%s", s.number, segmentSuffix))}
	file, err := s.create(seg.path)
	if err != nil {
		return err
	}
	if _, err := file.Write(title); err != nil {
		_ = file.Close()
		_ = os.Remove(seg.path)
		return fmt.Errorf("write to %s: %w", seg.path, err)
	}
	seg.size = int64(len(title))
	s.bytes.Add(seg.size)
	s.active = file
	s.segments = append(s.segments, seg)
	return nil
}

// seal ends the segment that is being written. Only here is it forced to the disk: the
// spool outlives the process at once, a power cut from the next segment on.
func (s *spool) seal() {
	if s.active == nil {
		return
	}
	if err := s.active.Sync(); err != nil {
		log.Warningf("spool folder %s: %v", s.dir, err)
	}
	_ = s.active.Close()
	s.active = nil
}

// empty says whether nothing is left to send.
func (s *spool) empty() bool { return len(s.segments) == 0 }

// close ends writing and lets go of the folder.
func (s *spool) close() {
	s.seal()
	_ = s.lock.Close()
}
