package events

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
)

// A segment of the spool is one line that says what it is, then frames:
//
//	offset  size  little-endian
//	     0     4  "MLEV"
//	     4     4  flags: 1 = the body is gzip
//	     8     8  first sequence
//	    16     8  last sequence
//	    24     4  events
//	    28     4  length of the body
//	    32     4  CRC-32C of the body
//	    36     4  CRC-32C of the bytes before
//	    40        body, exactly as it is posted
//
// The header has its own checksum so that a body gone bad does not hide the frames after
// it, and the four letters let a reader find the next frame after a header gone bad.
const frameHeader = 40

var (
	frameMagic = []byte("MLEV")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// frame is a batch in the spool.
type frame struct {
	sensor      string
	flags       uint32
	first, last uint64
	count       int
	body        []byte
	// open is how many parts of the frame are not settled; it is gone from the spool at zero.
	open int
}

const flagGzip = 1

func appendFrame(out []byte, b *batch) []byte {
	start := len(out)
	flags := uint32(0)
	if b.gzip {
		flags |= flagGzip
	}
	out = append(out, frameMagic...)
	out = binary.LittleEndian.AppendUint32(out, flags)
	out = binary.LittleEndian.AppendUint64(out, b.first)
	out = binary.LittleEndian.AppendUint64(out, b.last)
	out = binary.LittleEndian.AppendUint32(out, uint32(b.count))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(b.body)))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(b.body, castagnoli))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[start:], castagnoli))
	return append(out, b.body...)
}

// readFrame reads the next sound frame at or after offset at. It gives the offset after
// the frame and how many damaged stretches it skipped; the frame is nil at the end.
// The body shares data's memory.
func readFrame(data []byte, at int) (f *frame, next, damaged int) {
	skipping := false
	for at < len(data) {
		f, length := parseFrame(data[at:])
		if f != nil {
			return f, at + length, damaged
		}
		if length > 0 { // a sound header with a bad or missing body
			damaged++
			skipping = true
			at += frameHeader
			continue
		}
		if !skipping {
			damaged++
			skipping = true
		}
		found := bytes.Index(data[at+1:], frameMagic)
		if found < 0 {
			return nil, len(data), damaged
		}
		at += 1 + found
	}
	return nil, len(data), damaged
}

// parseFrame reads the frame that data starts with. Without one it gives nil and, where
// at least the header is sound, the length that the frame should have.
func parseFrame(data []byte) (f *frame, length int) {
	if len(data) < frameHeader || !bytes.HasPrefix(data, frameMagic) {
		return nil, 0
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	size := word(28)
	if word(36) != crc32.Checksum(data[:36], castagnoli) || size > maxBody || word(24) > maxBody {
		return nil, 0
	}
	length = frameHeader + int(size)
	if length > len(data) || crc32.Checksum(data[frameHeader:length], castagnoli) != word(32) {
		return nil, length
	}
	return &frame{
		flags: word(4),
		first: binary.LittleEndian.Uint64(data[8:]),
		last:  binary.LittleEndian.Uint64(data[16:]),
		count: int(word(24)),
		body:  data[frameHeader:length],
	}, length
}

// segmentTitle is the first line of a segment.
type segmentTitle struct {
	Spool  int    `json:"mlplugin_spool"` // the format, 1
	Sensor string `json:"sensor"`
}

func appendTitle(out []byte, sensor string) []byte {
	line, _ := json.Marshal(segmentTitle{Spool: 1, Sensor: sensor}) // never fails
	return append(append(out, line...), '\n')
}

// readTitle reads the first line and gives the offset after it.
func readTitle(data []byte) (segmentTitle, int, error) {
	var title segmentTitle
	line, _, found := bytes.Cut(data, []byte{'\n'})
	if !found || json.Unmarshal(line, &title) != nil || title.Sensor == "" {
		return title, 0, errors.New("no spool of events")
	}
	if title.Spool != 1 {
		return title, 0, errors.New("a spool of another version")
	}
	return title, len(line) + 1, nil
}
