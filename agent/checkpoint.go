package agent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

const (
	// checkpointFile is the name, in the data folder, of the counter's checkpoint.
	checkpointFile = "counter.checkpoint"
	// checkpointVersion is the version of its form; another one is not read.
	checkpointVersion = 1
	// maxCheckpoint bounds its size: about half a million files.
	maxCheckpoint = 128 << 20
)

// checkpoint is what the counter knows at one moment: where it stands, and what it counted up to there that no server
// has. The two belong together, so that no line is counted twice or left out by going on from it.
//
// The file is lines of JSON: a head, a position each, and at the end the CRC-64 (ECMA) of everything before.
type checkpoint struct {
	head      checkpointHead
	positions []source.Position
	names     map[string]string // of the sources, each once; nil but while it is read
}

// checkpointHead is the first line.
type checkpointHead struct {
	Version int `json:"version"`
	// Globs are what the agent was allowed to read, so that a file that is new to it can be told from one that is new.
	Globs []string `json:"globs"`
	// Counts are those that no server has, by source.
	Counts map[string]wire.SourceCount `json:"counts,omitempty"`
}

// storedPosition is one line of the middle.
type storedPosition struct {
	source.Position
	// RawPath is the path where that is no UTF-8, which JSON would change.
	RawPath []byte `json:"raw_path,omitempty"`
}

// checkpointEnd is the last line.
type checkpointEnd struct {
	Positions int    `json:"positions"`
	Checksum  string `json:"checksum"`
}

// errCheckpointSize is the error of a checkpoint that is larger than any that we write.
var errCheckpointSize = fmt.Errorf("checkpoint is larger than %d bytes", maxCheckpoint)

// summed writes on and keeps the checksum and the size.
type summed struct {
	w    *bufio.Writer
	line bytes.Buffer // that is written, to be used again
	json *json.Encoder
	sum  uint64
	size int64
	all  *crc64.Table
}

// write writes one line.
func (s *summed) write(v any) error {
	s.line.Reset()
	if err := s.json.Encode(v); err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	s.sum, s.size = crc64.Update(s.sum, s.all, s.line.Bytes()), s.size+int64(s.line.Len())
	if s.size > maxCheckpoint {
		return errCheckpointSize
	}
	_, err := s.w.Write(s.line.Bytes())
	return err
}

// writeCheckpoint writes a checkpoint and returns its size. It goes line by line and keeps nothing of them, since there
// may be very many.
func writeCheckpoint(w io.Writer, head *checkpointHead, positions iter.Seq[source.Position]) (int64, error) {
	s := &summed{w: bufio.NewWriter(w), all: crc64.MakeTable(crc64.ECMA)}
	s.json = json.NewEncoder(&s.line)
	if err := s.write(head); err != nil {
		return s.size, err
	}
	var end checkpointEnd
	var one storedPosition
	for p := range positions {
		one.Position, one.RawPath = p, nil
		if !utf8.ValidString(p.Path) {
			one.RawPath = []byte(p.Path)
		}
		if err := s.write(&one); err != nil {
			return s.size, err
		}
		end.Positions++
	}
	end.Checksum = fmt.Sprintf("%016x", s.sum)
	if err := s.write(&end); err != nil {
		return s.size, err
	}
	return s.size, s.w.Flush()
}

// loadCheckpoint reads the checkpoint at path. The error is fs.ErrNotExist (wrapped) where there is none; any other
// says that it cannot be believed.
func loadCheckpoint(path string) (*checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open checkpoint: %w", err)
	}
	defer func() { _ = f.Close() }()
	return readCheckpoint(f)
}

// readCheckpoint reads a checkpoint twice: there may be very many positions, and only once it is known that they can be
// believed, and how many they are, they are kept.
func readCheckpoint(r io.ReadSeeker) (*checkpoint, error) {
	positions, err := checkCheckpoint(r)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	c := checkpoint{names: map[string]string{}}
	if positions > 0 {
		c.positions = make([]source.Position, 0, positions)
	}
	err = eachLine(r, func(n int, line []byte) error {
		if n > positions {
			return nil // the end
		}
		return c.line(n, line)
	})
	if err != nil {
		return nil, err
	}
	if len(c.positions) != positions {
		return nil, fmt.Errorf("read checkpoint: it has %d positions now, and had %d", len(c.positions), positions)
	}
	c.names = nil
	return &c, nil
}

// checkCheckpoint says how many positions a checkpoint has, or what is wrong with it.
func checkCheckpoint(r io.Reader) (int, error) {
	table := crc64.MakeTable(crc64.ECMA)
	var last []byte // the line that was read last, without its checksum yet
	var sum uint64
	lines := 0
	err := eachLine(r, func(n int, line []byte) error {
		sum, lines = crc64.Update(sum, table, last), n+1
		last = append(last[:0], line...)
		return nil
	})
	if err != nil {
		return 0, err
	}
	var end checkpointEnd
	if err := json.Unmarshal(last, &end); err != nil {
		return 0, fmt.Errorf("decode checkpoint: last line: %w", err)
	}
	if want := fmt.Sprintf("%016x", sum); end.Checksum != want || end.Positions != lines-2 {
		return 0, fmt.Errorf("check checkpoint: checksum %q over %d positions, want %q over %d",
			end.Checksum, end.Positions, want, lines-2)
	}
	return end.Positions, nil
}

// eachLine calls do with each line and its number, the first being 0. The line is valid until do returns.
func eachLine(r io.Reader, do func(n int, line []byte) error) error {
	in := bufio.NewReader(io.LimitReader(r, maxCheckpoint+1))
	var line []byte
	size := 0
	for n := 0; ; n++ {
		line = line[:0]
		err := bufio.ErrBufferFull
		for errors.Is(err, bufio.ErrBufferFull) {
			var part []byte
			part, err = in.ReadSlice('\n')
			line = append(line, part...)
		}
		if size += len(line); size > maxCheckpoint {
			return errCheckpointSize
		}
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read checkpoint: line %d: %w", n+1, err)
		}
		if err := do(n, line); err != nil {
			return fmt.Errorf("decode checkpoint: line %d: %w", n+1, err)
		}
	}
}

// line takes the line of number n, which is not the last.
func (c *checkpoint) line(n int, line []byte) error {
	if n == 0 {
		if err := json.Unmarshal(line, &c.head); err != nil {
			return err
		}
		if c.head.Version != checkpointVersion {
			return fmt.Errorf("version %d, want %d", c.head.Version, checkpointVersion)
		}
		return nil
	}
	var one storedPosition
	if err := json.Unmarshal(line, &one); err != nil {
		return err
	}
	if one.RawPath != nil {
		one.Path = string(bytes.Clone(one.RawPath))
	}
	name, ok := c.names[one.Source]
	if !ok {
		name = one.Source
		c.names[name] = name
	}
	one.Source = name
	c.positions = append(c.positions, one.Position)
	return nil
}

// allowed says whether one of the globs allows path.
func allowed(globs []string, path string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		ok, err := doublestar.PathMatch(filepath.Clean(glob), path)
		return err == nil && ok
	})
}
