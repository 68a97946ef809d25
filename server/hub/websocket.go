package hub

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/wire"
)

// socketBuffer is the size of the buffers of a viewer's WebSocket.
const socketBuffer = 256

// errSlow ends a viewer that made no progress.
var errSlow = errors.New("slow viewer")

// ServeWebSocket serves one viewer over WebSocket: a frame a message, or with Batch newline-ended frames packed into
// messages. Who may see the session was decided before. It returns as soon as the connection is the hub's, so that
// nothing is held of the request: the viewer is served until it goes or View.Until comes.
func (h *Hub) ServeWebSocket(w http.ResponseWriter, r *http.Request, id string, view View) {
	s := h.served(id)
	if s == nil {
		writeRefusal(w, h.notHere(id))
		return
	}
	out := &socketOutput{batch: view.Batch, paced: &pacedConn{buffers: &h.buffers}}
	v, refusal := s.attach(view, out)
	if refusal != nil {
		writeRefusal(w, refusal)
		return
	}
	out.paced.stalled = func() {
		out.late.Store(true)
		v.detach()
	}
	conn, err := websocket.Accept(&hijackWriter{ResponseWriter: w, paced: out.paced}, r, &websocket.AcceptOptions{
		// The origin is part of who may see a session, and was checked with it; a second, different check here
		// would refuse what that one allows.
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
		OnPingReceived:     func(context.Context, []byte) bool { return !out.paced.stuck() },
	})
	if err != nil {
		v.detach()
		s.serving.Done()
		return
	}
	out.conn = conn
	out.paced.standing = func(written int, waiting []int) int { return out.standing(v, written, waiting) }
	conn.SetReadLimit(wire.MaxViewerMessage)
	s.serving.Go(func() { serveSocket(v, conn) })
}

// serveSocket serves a viewer whose connection was taken over.
func serveSocket(v *viewer, conn *websocket.Conn) {
	ctx, cancel := v.view.until(context.Background())
	defer cancel()
	reads, stopReading := context.WithCancel(context.Background())
	defer stopReading()
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		defer cancel()
		// Not with ctx, whose end would cut the connection before the last word.
		readAway(reads, conn)
	}()
	v.run(ctx)
	stopReading()
	cancel()
	_ = conn.CloseNow() // Closed already in the good case; there is nobody left to tell in the other.
	<-reading
}

// readAway reads and forgets what a viewer sends, so that pings, pongs and the close are seen.
func readAway(ctx context.Context, conn *websocket.Conn) {
	for {
		_, reader, err := conn.Reader(ctx)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, reader); err != nil {
			return
		}
	}
}

// hijackWriter slips a pacedConn under the connection that the upgrade takes over.
type hijackWriter struct {
	http.ResponseWriter
	paced *pacedConn
}

// Hijack takes the connection over. What the handshake wrote so far is flushed by the time it is called.
func (w *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.paced.Conn = conn
	w.paced.raw.Store(&conn)
	// What a viewer sends is little, and of what is sent to it only what the library says by itself goes this way. The
	// server's own reader has what came early.
	reader := rw.Reader
	if reader.Buffered() == 0 {
		reader = bufio.NewReaderSize(w.paced, socketBuffer)
	}
	return w.paced, bufio.NewReadWriter(reader, bufio.NewWriterSize(w.paced, socketBuffer)), nil
}

// socketOutput writes to a WebSocket.
type socketOutput struct {
	conn  *websocket.Conn
	paced *pacedConn
	batch bool
	late  atomic.Bool
	// parts are the frames of the message being packed.
	parts [][]byte
}

// frames writes log frames.
func (o *socketOutput) frames(v *viewer, p *piece) error {
	v.wrote(p, p.to)
	if o.batch {
		o.parts = append(o.parts, p.data)
		return nil
	}
	o.paced.cork()
	for rest := p.data; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if err := o.paced.messages([][]byte{rest[:end]}); err != nil {
			return err
		}
		rest = rest[end+1:]
	}
	return nil
}

// control writes one control frame.
func (o *socketOutput) control(_ *viewer, frame []byte, _ bool) error {
	if o.batch {
		o.parts = append(o.parts, append(bytes.Clone(frame), '\n'))
		return nil
	}
	o.paced.cork()
	return o.paced.messages([][]byte{frame})
}

// emptyPing is the frame of a ping without a payload. Conn.Ping would wait for its answer, which nobody here needs;
// between two messages it may go past the library.
const emptyPing = "\x89\x00"

// beat sends a ping.
func (o *socketOutput) beat() error {
	_, err := o.paced.Write([]byte(emptyPing))
	return err
}

// flush writes the parts in messages, and everything gathered. The parts are the ring's own bytes and are not copied
// together.
func (o *socketOutput) flush() error {
	if len(o.parts) > 0 {
		err := o.paced.messages(grouped(o.parts)...)
		clear(o.parts)
		o.parts = o.parts[:0]
		if cap(o.parts) > keepPieces {
			o.parts = nil
		}
		if err != nil {
			return err
		}
	}
	return o.paced.flush()
}

// grouped puts parts together to messages of about the size of an entry of the ring: one that was begun must be
// brought to its end, however long the viewer takes.
func grouped(parts [][]byte) [][][]byte {
	var out [][][]byte
	first, size := 0, 0
	for i, part := range parts {
		if i > first && size+len(part) > entryBytes {
			out, first, size = append(out, parts[first:i]), i, 0
		}
		size += len(part)
	}
	return append(out, parts[first:])
}

// standing lets go of what is written, and gives back to the ring what the viewer was to get and does not take. It
// says how many of the waiting messages, which have so many parts, are not to be written.
func (o *socketOutput) standing(v *viewer, written int, waiting []int) int {
	most, back, messages := v.returnable(), 0, 0
	if !o.batch {
		v.giveBack(min(most, len(v.pieces)-v.handed))
		return 0
	}
	for i := len(waiting) - 1; i >= 0 && back+waiting[i] <= most; i-- {
		back += waiting[i]
		messages++
	}
	clear(o.parts[:written])
	clear(o.parts[len(o.parts)-back:])
	v.giveBack(back)
	return messages
}

// bye says goodbye with status 1000 and waits for the answer.
func (o *socketOutput) bye() {
	_ = o.conn.Close(websocket.StatusNormalClosure, "")
}

// cut closes the connection under everybody.
func (o *socketOutput) cut() {
	if conn := o.paced.raw.Load(); conn != nil {
		_ = (*conn).Close()
	}
}

// slow says that the viewer stood still for too long.
func (o *socketOutput) slow() bool { return o.late.Load() }

// writeRefusal answers a request that cannot become a stream.
func writeRefusal(w http.ResponseWriter, refusal *wire.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refusal.Code.Status())
	// An error means that the client has gone.
	_ = json.NewEncoder(w).Encode(refusal)
}
