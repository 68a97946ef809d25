package wire

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// Position is the last event of one agent that a viewer has.
type Position struct {
	Agent [16]byte // the agent's UUID
	Epoch uint64
	Seq   uint64
}

// Cursor is where a viewer stands in a session: one position for each agent it has heard of.
type Cursor []Position

// errCursor is the error of every malformed cursor.
var errCursor = errors.New("not a cursor: must be the text of an id or cursor that a stream gave")

// String is the cursor as text: base64url without padding of, for each agent, 16 bytes of UUID and the epoch and the
// sequence number as unsigned varints.
func (c Cursor) String() string {
	buf := make([]byte, 0, len(c)*24)
	for _, p := range c {
		buf = append(buf, p.Agent[:]...)
		buf = binary.AppendUvarint(buf, p.Epoch)
		buf = binary.AppendUvarint(buf, p.Seq)
	}
	return base64.RawURLEncoding.EncodeToString(buf)
}

// ParseCursor reads the text of a cursor.
func ParseCursor(text string) (Cursor, error) {
	if len(text) > MaxSessionAgents*64 {
		return nil, errCursor
	}
	buf, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errCursor
	}
	var c Cursor
	for len(buf) > 0 {
		var p Position
		if len(buf) < len(p.Agent) {
			return nil, errCursor
		}
		buf = buf[copy(p.Agent[:], buf):]
		for _, field := range []*uint64{&p.Epoch, &p.Seq} {
			n, size := binary.Uvarint(buf)
			if size <= 0 {
				return nil, errCursor
			}
			*field, buf = n, buf[size:]
		}
		c = append(c, p)
	}
	return c, nil
}

// ParseUUID reads the usual text form of a UUID, in any case.
func ParseUUID(text string) ([16]byte, error) {
	var id [16]byte
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, fmt.Errorf("parse uuid %q: not of the form 8-4-4-4-12", text)
	}
	hexText := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	for i := range id {
		hi, lo := hexValue(hexText[2*i]), hexValue(hexText[2*i+1])
		if hi < 0 || lo < 0 {
			return id, fmt.Errorf("parse uuid %q: not hexadecimal", text)
		}
		id[i] = byte(hi<<4 | lo)
	}
	return id, nil
}

// FormatUUID is the usual text form of a UUID.
func FormatUUID(id [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// hexValue is the value of one hexadecimal digit, or -1.
func hexValue(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}
