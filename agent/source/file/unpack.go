package file

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/wire"
)

// format is how a rotated sibling is compressed; empty for a plain file. It is the ending of its name without the dot.
type format string

const (
	formatGzip format = "gz"
	formatZstd format = "zst"
)

// formatOf splits the ending of a compression from a name.
func formatOf(path string) (stem string, f format) {
	for _, end := range compressed {
		if stem, ok := strings.CutSuffix(path, end); ok {
			return stem, format(end[1:])
		}
	}
	return path, ""
}

// limits bound what one compressed file may cost. They are checked at offsets that depend on nothing but the file, so
// that a second reading breaks off where the first did.
type limits struct {
	// output bounds the bytes that come out of one file.
	output int64
	// ratio bounds the bytes that come out for each that goes in, once free bytes came out.
	ratio, free int64
	// window bounds the memory of one zstd frame.
	window uint64
}

// unpackLimits are far beyond what logs need: text that repeats itself shrinks to a hundredth, a bomb to a thousandth.
var unpackLimits = limits{output: 8 << 30, ratio: 200, free: 16 << 20, window: 8 << 20}

// checkEvery is how often the bounds of an unpacker are checked, in bytes that come out.
const checkEvery = 1 << 20

// gzipCost is about what one gzip reader holds.
const gzipCost = 64 << 10

// errOversize is what an unpacker returns beyond its bounds; errFormat where it cannot read a format at all.
var (
	errOversize = errors.New("unpacks to more than allowed")
	errFormat   = errors.New("compressed in a way that is not read")
)

// metered counts the bytes that go into a decoder.
type metered struct {
	in io.Reader
	n  int64
}

// Read implements io.Reader.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.in.Read(p)
	m.n += int64(n)
	return n, err
}

// unpacker reads what a compressed file holds, from its beginning on and within limits.
type unpacker struct {
	lim   limits
	in    metered
	dec   io.Reader
	out   int64
	cost  int
	close func()
}

// newUnpacker begins to read a file, which must stay open until the unpacker is closed.
func newUnpacker(f contents, how format, lim limits) (*unpacker, error) {
	u := &unpacker{lim: lim, close: func() {}}
	u.in.in = io.NewSectionReader(f, 0, 1<<62)
	switch how {
	case formatGzip:
		z, err := gzip.NewReader(&u.in)
		if err != nil {
			return nil, unpackError(err)
		}
		u.dec, u.cost = z, gzipCost
		u.close = func() { _ = z.Close() }
	case formatZstd:
		z, err := zstd.NewReader(&u.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(lim.window))
		if err != nil {
			return nil, unpackError(err)
		}
		u.dec, u.cost, u.close = z, zstdCost(f, lim), z.Close
	default:
		return nil, fmt.Errorf("unpack .%s: %w", how, errFormat)
	}
	return u, nil
}

// zstdCost is about what the decoder of a file holds, by the window that the first frame names.
func zstdCost(f contents, lim limits) int {
	var h zstd.Header
	head := make([]byte, zstd.HeaderMaxSize)
	n, _ := f.ReadAt(head, 0)
	window := lim.window
	if err := h.Decode(head[:n]); err == nil && !h.Skippable {
		if window = h.WindowSize; h.SingleSegment {
			window = h.FrameContentSize
		}
	}
	return int(min(window, lim.window)) + checkEvery
}

// Read implements io.Reader. What it returned is good even if an error follows.
func (u *unpacker) Read(p []byte) (int, error) {
	if u.out >= u.lim.output || u.out%checkEvery == 0 && u.out > u.lim.free && u.out/u.lim.ratio > u.in.n {
		return 0, errOversize
	}
	p = p[:min(int64(len(p)), checkEvery-u.out%checkEvery, u.lim.output-u.out)]
	n, err := u.dec.Read(p)
	u.out += int64(n)
	return n, unpackError(err)
}

// unpackError gives the errors of decoders that mean a bound the one name that they have here.
func unpackError(err error) error {
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return errOversize
	}
	return err
}

// unpackReason is the reason of the gap that an unpacker's error leaves.
func unpackReason(err error) string {
	switch {
	case errors.Is(err, errOversize):
		return wire.ReasonOversize
	case errors.Is(err, errFormat):
		return wire.ReasonUnreadable
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return wire.ReasonTruncated
	}
	return wire.ReasonCorrupt
}
