package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// errShort is the error of a link message that ends too early.
var errShort = errors.New("message too short")

// AppendLink appends a link message with a JSON body.
func AppendLink(dst []byte, kind LinkKind, body any) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode link message %d: %w", kind, err)
	}
	dst = append(dst, LinkVersion, byte(kind))
	return append(dst, data...), nil
}

// SplitLink takes the version and the kind off a link message and returns the kind and the body, which aliases data.
func SplitLink(data []byte) (LinkKind, []byte, error) {
	if len(data) < 2 {
		return 0, nil, fmt.Errorf("split link message: %w", errShort)
	}
	if data[0] != LinkVersion {
		return 0, nil, fmt.Errorf("split link message: version %d, want %d", data[0], LinkVersion)
	}
	return LinkKind(data[1]), data[2:], nil
}

// Batch is an item of a session with log frames: Count frames with the numbers First to First+Count-1.
type Batch struct {
	Session string
	Epoch   uint64
	Item    uint64
	First   uint64
	Count   uint64
	// RawSize is the size of the frames before compression: what the batch costs of the credit.
	RawSize uint64
	// Block is one zstd block of the frames, each ended by a newline.
	Block []byte
}

// AppendBatch appends the link message of b.
func AppendBatch(dst []byte, b *Batch) []byte {
	dst = append(dst, LinkVersion, byte(LinkBatch))
	dst = appendText(dst, b.Session)
	for _, n := range []uint64{b.Epoch, b.Item, b.First, b.Count, b.RawSize} {
		dst = binary.AppendUvarint(dst, n)
	}
	return append(dst, b.Block...)
}

// ParseBatch reads the body of a batch message. Block aliases body.
func ParseBatch(body []byte) (Batch, error) {
	var b Batch
	r := reader{data: body}
	b.Session = r.text()
	for _, field := range []*uint64{&b.Epoch, &b.Item, &b.First, &b.Count, &b.RawSize} {
		*field = r.uvarint()
	}
	b.Block = r.data
	switch {
	case r.err != nil:
		return Batch{}, fmt.Errorf("parse batch: %w", r.err)
	case b.RawSize > MaxBatchBytes:
		return Batch{}, fmt.Errorf("parse batch: %d bytes of frames, at most %d allowed", b.RawSize, MaxBatchBytes)
	case b.Count == 0 || b.Count > b.RawSize:
		return Batch{}, fmt.Errorf("parse batch: %d frames in %d bytes", b.Count, b.RawSize)
	}
	return b, nil
}

// appendText appends the length of s and s.
func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// reader takes fields off the front of a message and remembers the first error.
type reader struct {
	data []byte
	err  error
}

// uvarint takes one number.
func (r *reader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.err = errShort
		return 0
	}
	r.data = r.data[size:]
	return n
}

// text takes one length and so many bytes.
func (r *reader) text() string {
	n := r.uvarint()
	if r.err != nil || n > uint64(len(r.data)) {
		r.err = errShort
		return ""
	}
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}
