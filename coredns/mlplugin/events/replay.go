package events

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
)

// next gives the oldest frame as a batch, nil where the spool is empty. It gives the
// same frame until it is settled.
func (s *spool) next() *batch {
	for s.head == nil && len(s.segments) > 0 {
		s.load()
	}
	if s.head == nil {
		return nil
	}
	f := s.head
	f.open = 1
	return &batch{sensor: f.sensor, body: f.body, gzip: f.flags&flagGzip != 0,
		first: f.first, last: f.last, count: f.count, origin: f}
}

// load reads the next frame of the first segment, or removes the segment at its end.
func (s *spool) load() {
	seg := s.segments[0]
	if s.data == nil {
		if len(s.segments) == 1 {
			s.seal()
		}
		data, err := readSegment(seg.path)
		if err == nil {
			var title segmentTitle
			title, s.at, err = readTitle(data)
			s.reading = title.Sensor
		}
		if err != nil {
			s.setAside(seg, err)
			s.drop(seg)
			return
		}
		s.data = data
	}
	f, next, damaged := readFrame(s.data, s.at)
	if f != nil && f.count > seg.events {
		// More than was counted when the segment was found or written.
		s.events.Add(int64(f.count - seg.events))
		s.missing(seg.events - f.count)
		seg.events = f.count
	}
	s.at = next
	if damaged > 0 {
		s.damaged.Add(uint64(damaged))
		log.Warningf("spool file %s is damaged, what can be read is sent", seg.path)
	}
	if f == nil {
		if err := os.Remove(seg.path); err != nil {
			log.Warningf("spool: %v", err)
		}
		s.drop(seg)
		return
	}
	f.sensor = s.reading
	s.head = f
}

// drop takes the first segment off the list; what it still held could not be read.
func (s *spool) drop(seg *segment) {
	s.segments = s.segments[1:]
	s.data = nil
	s.bytes.Add(-seg.size)
	if seg.events > 0 {
		s.missing(seg.events)
		s.events.Add(-int64(seg.events))
	}
}

// settle notes that so many events of the frame are done with, and whether that part
// was the last; then the frame is gone, and with the last frame its file.
func (s *spool) settle(f *frame, count int) {
	s.segments[0].events -= count
	s.events.Add(-int64(count))
	f.open--
	if f.open > 0 {
		return
	}
	s.head = nil
	if s.data != nil {
		s.load()
	}
}

// maxSegment bounds what is read into memory of a file found in the spool.
const maxSegment = 64 << 20

func readSegment(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSegment {
		return nil, errors.New("larger than a spool file is")
	}
	return os.ReadFile(path)
}

// found is what a look at a segment's headers tells.
type found struct {
	sensor string
	size   int64
	events int
	last   uint64
}

// inspect walks the headers of a segment without reading the bodies, so that a start
// with a full spool is quick. A file with a header gone bad is read whole.
func inspect(path string) (found, error) {
	file, err := os.Open(path)
	if err != nil {
		return found{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return found{}, err
	}
	opening := make([]byte, 1024)
	n, err := file.ReadAt(opening, 0)
	if err != nil && err != io.EOF {
		return found{}, err
	}
	title, at, err := readTitle(opening[:n])
	if err != nil {
		return found{}, err
	}
	result := found{sensor: title.Sensor, size: info.Size()}
	header := make([]byte, frameHeader)
	for offset := int64(at); offset < result.size; {
		if _, err := file.ReadAt(header, offset); err != nil {
			return inspectWhole(path, result)
		}
		size := binary.LittleEndian.Uint32(header[28:])
		sound := string(header[:4]) == string(frameMagic) &&
			binary.LittleEndian.Uint32(header[36:]) == crc32.Checksum(header[:36], castagnoli)
		if offset += frameHeader + int64(size); !sound || offset > result.size {
			return inspectWhole(path, result)
		}
		result.events += int(binary.LittleEndian.Uint32(header[24:]))
		result.last = max(result.last, binary.LittleEndian.Uint64(header[16:]))
	}
	return result, nil
}

// inspectWhole counts what the reader of frames will find.
func inspectWhole(path string, result found) (found, error) {
	result.events, result.last = 0, 0
	data, err := readSegment(path)
	if err != nil {
		return result, err
	}
	_, at, err := readTitle(data)
	for err == nil {
		f, next, _ := readFrame(data, at)
		if f == nil {
			break
		}
		result.events += f.count
		result.last = max(result.last, f.last)
		at = next
	}
	return result, err
}
