package events

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// spooled makes a spool in dir; lost collects what it finds missing.
func spooled(t *testing.T, dir string, max int64) (s *spool, lost *int) {
	t.Helper()
	lost = new(int)
	c := Config{Sensor: "test", Spool: dir, SpoolBytes: max}.withDefaults()
	s, err := openSpool(c, func(events int) { *lost += events })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s, lost
}

// body makes a batch of count lines that tell its number.
func testBatch(n, count int) *batch {
	line := fmt.Appendf(nil, "{\"batch\":%d}\n", n)
	return &batch{sensor: "test", body: bytes.Repeat(line, count), first: uint64(n * 100),
		last: uint64(n*100 + count - 1), count: count}
}

func put(t *testing.T, s *spool, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.append(testBatch(n, 10)); err != nil {
			t.Fatal(err)
		}
	}
}

// replayed takes everything out of the spool and gives the numbers of the batches.
func replayed(t *testing.T, s *spool) (numbers []int) {
	t.Helper()
	for b := s.next(); b != nil; b = s.next() {
		var n int
		if _, err := fmt.Sscanf(string(b.body), `{"batch":%d}`, &n); err != nil {
			t.Fatalf("%q: %v", b.body, err)
		}
		if want := testBatch(n, 10); !bytes.Equal(b.body, want.body) || b.first != want.first || b.last != want.last || b.count != 10 {
			t.Errorf("batch %d is not what it was", n)
		}
		numbers = append(numbers, n)
		if again := s.next(); !bytes.Equal(again.body, b.body) {
			t.Error("next went on before the batch was settled")
		}
		s.settle(s.head, b.count)
	}
	return numbers
}

func sequence(from, to int) (numbers []int) {
	for n := from; n < to; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

func segmentPaths(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

func TestSpoolGivesBackInOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, lost := spooled(t, dir, 64<<10) // segments of 4 KiB
	put(t, s, 0, 60)
	if n := len(segmentPaths(t, dir)); n < 2 {
		t.Errorf("%d segments, want several", n)
	}
	if got := s.events.Load(); got != 600 {
		t.Errorf("%d events, want 600", got)
	}
	first := s.next() // while it is read, more is written
	put(t, s, 60, 70)
	s.settle(first.origin, 10)
	if got := replayed(t, s); !slices.Equal(got, sequence(1, 70)) {
		t.Errorf("gave back %v", got)
	}
	if s.events.Load() != 0 || s.bytes.Load() != 0 || len(segmentPaths(t, dir)) != 0 || *lost != 0 {
		t.Errorf("left: %d events, %d bytes, %v; lost %d", s.events.Load(), s.bytes.Load(), segmentPaths(t, dir), *lost)
	}
	put(t, s, 70, 71)
	if got := replayed(t, s); !slices.Equal(got, []int{70}) {
		t.Errorf("gave back %v", got)
	}
}

func TestSpoolIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s, _ := spooled(t, dir, 1<<20)
	put(t, s, 0, 1)
	for path, want := range map[string]os.FileMode{dir: 0o700, segmentPaths(t, dir)[0]: 0o600, filepath.Join(dir, "lock"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

func TestSpoolIsNotShared(t *testing.T) {
	dir := t.TempDir()
	first, _ := spooled(t, dir, 1<<20)
	c := Config{URL: "http://127.0.0.1:1", Sensor: "test", Spool: dir}
	if _, err := New(c); err == nil || err.Error() != fmt.Sprintf("spool folder %s is in use by another instance: give each its own", dir) {
		t.Errorf("a second sender: %v", err)
	}
	first.close()
	second, err := New(c)
	if err != nil {
		t.Fatalf("after the first is gone: %v", err)
	}
	shut(t, second)
}

// TestSpoolIsBounded: the oldest stay; what does not fit leaves the spool as it was.
func TestSpoolIsBounded(t *testing.T) {
	dir := t.TempDir()
	s, lost := spooled(t, dir, 4_000)
	kept := 0
	for n := range 100 {
		err := s.append(testBatch(n, 10))
		if err == nil {
			kept++
		} else if !errors.Is(err, errSpoolFull) {
			t.Fatal(err)
		}
	}
	size := int64(0)
	for _, path := range segmentPaths(t, dir) {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	}
	if kept < 10 || kept > 30 || size > 4_000 || size != s.bytes.Load() || s.events.Load() != int64(10*kept) {
		t.Errorf("%d batches, %d bytes on disk, %d counted, %d events", kept, size, s.bytes.Load(), s.events.Load())
	}
	if got := replayed(t, s); !slices.Equal(got, sequence(0, kept)) || *lost != 0 {
		t.Errorf("gave back %v, lost %d", got, *lost)
	}
	put(t, s, 0, kept) // there is room again
}

// fullDisk lets through so many bytes in all, then fails in the middle of a write.
type fullDisk struct {
	*os.File
	room       *int
	noTruncate bool
}

func (f *fullDisk) Write(b []byte) (int, error) {
	n := min(len(b), *f.room)
	n, _ = f.File.Write(b[:n])
	*f.room -= n
	if n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (f *fullDisk) Truncate(size int64) error {
	if f.noTruncate {
		return syscall.EIO
	}
	return f.File.Truncate(size)
}

func TestSpoolOnFullDisk(t *testing.T) {
	for _, noTruncate := range []bool{false, true} {
		dir := t.TempDir()
		s, lost := spooled(t, dir, 1<<20)
		room := 2_000
		s.create = func(path string) (segmentFile, error) {
			file, err := createSegment(path)
			if err != nil {
				return nil, err
			}
			return &fullDisk{file.(*os.File), &room, noTruncate}, nil
		}
		kept, failed := 0, 0
		for n := 0; failed < 3; n++ {
			if err := s.append(testBatch(kept, 10)); err == nil {
				kept++
			} else if failed++; !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			if n > 1_000 {
				t.Fatal("the disk never filled")
			}
		}
		room = 1 << 20
		put(t, s, kept, 20)
		if got := replayed(t, s); !slices.Equal(got, sequence(0, 20)) || kept < 5 || *lost != 0 {
			t.Errorf("truncate fails %v: gave back %v, lost %d", noTruncate, got, *lost)
		}
		if s.bytes.Load() != 0 || s.events.Load() != 0 {
			t.Errorf("left: %d bytes, %d events", s.bytes.Load(), s.events.Load())
		}
	}
}

// TestSenderOnFullDisk: with nowhere to write, events wait in memory; what is dropped in
// the end is counted under what kept it from the spool.
func TestSenderOnFullDisk(t *testing.T) {
	for want, create := range map[string]func(string) (segmentFile, error){
		"spool_error": func(string) (segmentFile, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) },
		"spool_full":  createSegment,
	} {
		t.Run(want, func(t *testing.T) {
			s := newService(t)
			s.fail(503)
			c := quick(s.URL)
			c.Spool, c.SpoolBytes = t.TempDir(), 20_000
			c.QueueEvents, c.BatchEvents = 512, 64
			sender, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			sender.spool.create = create
			sender.Start()
			total := 0
			eventually(t, "a drop", func() bool {
				// However slow the delivery is, the queue is not made to overflow before it knows why.
				if queued, _ := sender.queue.size(); queued+100 <= 512 || reason(sender.overflow.Load()).String() == want {
					feed(sender, total, total+100)
					total += 100
				}
				return sender.Totals().Dropped[want] > 0
			})
			n := balanced(t, sender)
			if n.Pending < 512 || n.Dropped["queue_full"] > 600 || n.SpoolBytes > 20_000 {
				t.Errorf("in the outage: %+v", n)
			}
			s.set(nil)
			eventually(t, "what was kept", func() bool { return sender.Totals().Pending == 0 })
			n = balanced(t, sender)
			if int(n.Sent) != s.count() || n.Sent < 512 {
				t.Errorf("%+v, %d stored", n, s.count())
			}
			shut(t, sender)
			if served, lost := s.told(); served != uint64(total) || lost+uint64(s.count()) != served {
				t.Errorf("the service was told of %d served, %d lost, and has %d", served, lost, s.count())
			}
		})
	}
}

// TestDamagedSpool: what can be read is given back, the rest is counted.
func TestDamagedSpool(t *testing.T) {
	const frameSize = frameHeader + 10*12
	title := len(appendTitle(nil, "test"))
	for name, test := range map[string]struct {
		damage  func([]byte) []byte
		want    []int
		damaged uint64
		lost    int // of those that the headers promised
	}{
		"none":        {func(b []byte) []byte { return b }, sequence(0, 9), 0, 0},
		"torn body":   {func(b []byte) []byte { return b[:len(b)-3] }, sequence(0, 8), 1, 0},
		"torn header": {func(b []byte) []byte { return b[:len(b)-frameSize+9] }, sequence(0, 8), 1, 0},
		"bad body": {func(b []byte) []byte {
			b[title+2*frameSize+frameHeader+5] ^= 1
			return b
		}, []int{0, 1, 3, 4, 5, 6, 7, 8}, 1, 10},
		"bad header": {func(b []byte) []byte {
			b[title+2*frameSize+9] ^= 1
			return b
		}, []int{0, 1, 3, 4, 5, 6, 7, 8}, 1, 0},
		"bad length": {func(b []byte) []byte {
			b[title+2*frameSize+31] = 0xff
			return b
		}, []int{0, 1, 3, 4, 5, 6, 7, 8}, 1, 0},
		"two bad headers": {func(b []byte) []byte {
			b[title+9] ^= 1
			b[title+4*frameSize+9] ^= 1
			return b
		}, []int{1, 2, 3, 5, 6, 7, 8}, 2, 0},
		"a hole": {func(b []byte) []byte {
			clear(b[title+3*frameSize+7 : title+6*frameSize-7])
			return b
		}, []int{0, 1, 2, 6, 7, 8}, 1, 0},
		"only a title":    {func(b []byte) []byte { return b[:title] }, nil, 0, 0},
		"no title":        {func(b []byte) []byte { return b[5:] }, nil, 1, 0},
		"another version": {func(b []byte) []byte { return bytes.Replace(b, []byte(":1,"), []byte(":2,"), 1) }, nil, 1, 0},
		"empty":           {func([]byte) []byte { return nil }, nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, _ := spooled(t, dir, 1<<20)
			put(t, first, 0, 9)
			first.close()
			path := segmentPaths(t, dir)[0]
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, test.damage(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			s, lost := spooled(t, dir, 1<<20)
			promised := s.events.Load()
			put(t, s, 9, 10) // goes on behind it
			got := replayed(t, s)
			if !slices.Equal(got, append(slices.Clone(test.want), 9)) || *lost != test.lost || s.damaged.Load() != test.damaged {
				t.Errorf("gave back %v, lost %d, damaged %d", got, *lost, s.damaged.Load())
			}
			if promised != int64(10*len(test.want)+test.lost) {
				t.Errorf("%d events were promised", promised)
			}
			if s.events.Load() != 0 || s.bytes.Load() != 0 {
				t.Errorf("left: %d events, %d bytes", s.events.Load(), s.bytes.Load())
			}
		})
	}
}

func TestSegmentThatVanishes(t *testing.T) {
	s, lost := spooled(t, t.TempDir(), 1<<20)
	put(t, s, 0, 3)
	s.seal()
	if err := os.Remove(s.segments[0].path); err != nil {
		t.Fatal(err)
	}
	put(t, s, 3, 4)
	if got := replayed(t, s); !slices.Equal(got, []int{3}) || *lost != 30 || s.events.Load() != 0 {
		t.Errorf("gave back %v, lost %d, left %d", got, *lost, s.events.Load())
	}
}

// TestSpoolGoesOnAboveItsSequences: a clock that was set back does not make a sensor use
// a sequence twice.
func TestSpoolGoesOnAboveItsSequences(t *testing.T) {
	dir := t.TempDir()
	first, _ := spooled(t, dir, 1<<20)
	future := testBatch(0, 10)
	future.last = 1 << 62
	if err := first.append(future); err != nil {
		t.Fatal(err)
	}
	first.close()
	highestBefore := highest.Load()
	defer highest.Store(highestBefore)
	sender, err := New(Config{URL: "http://127.0.0.1:1", Sensor: "test", Spool: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, sender)
	if sender.counters.started <= 1<<62 {
		t.Errorf("starts at %d", sender.counters.started)
	}
}

// FuzzReadFrame: whatever is in a segment, the reader ends, goes forward and gives
// frames that are exactly what was written.
func FuzzReadFrame(f *testing.F) {
	two := appendFrame(appendFrame(nil, testBatch(1, 2)), testBatch(2, 3))
	f.Add(two)
	f.Add(two[:len(two)-1])
	f.Add(append([]byte("MLEVMLEV"), two...))
	f.Add([]byte("MLEV"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for at := 0; at < len(data); {
			frame, next, _ := readFrame(data, at)
			if next <= at || next > len(data) {
				t.Fatalf("from %d to %d of %d", at, next, len(data))
			}
			if frame != nil {
				again := appendFrame(nil, &batch{body: frame.body, gzip: frame.flags&flagGzip != 0,
					first: frame.first, last: frame.last, count: frame.count})
				if frame.flags <= flagGzip && !bytes.Equal(again, data[next-len(again):next]) {
					t.Fatal("not what is in the file")
				}
			}
			at = next
		}
		// A sound frame behind anything is found, unless the end of it looks like a frame's start.
		frame, _, _ := readFrame(append(slices.Clone(data), appendFrame(nil, testBatch(7, 1))...), len(data))
		if frame == nil || frame.first != 700 {
			t.Error("a sound frame was not read")
		}
	})
}
