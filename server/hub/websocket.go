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

// errSlow ends a viewer that made no progress.
var errSlow = errors.New("slow viewer")

// ServeWebSocket serves one viewer over WebSocket: a frame a message, or with Batch newline-ended frames packed into
// messages. Who may see the session was decided before. It returns when the viewer has gone.
func (h *Hub) ServeWebSocket(w http.ResponseWriter, r *http.Request, id string, view View) {
	s := h.find(id)
	if s == nil {
		unknownSession(w, id)
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
	conn.SetReadLimit(wire.MaxViewerMessage)
	// The request's context ends with the right to watch. It says nothing about a connection that was taken over; the
	// reader does.
	ctx, cancel := context.WithCancel(r.Context())
	reads, stopReading := context.WithCancel(context.WithoutCancel(ctx))
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
	// The first write replaces the server's own writer, which does not know of the paced connection.
	rw.Writer.Reset(w.paced)
	return w.paced, rw, nil
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
		if err := o.conn.Write(context.Background(), websocket.MessageText, rest[:end]); err != nil {
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
	return o.conn.Write(context.Background(), websocket.MessageText, frame)
}

// emptyPing is the frame of a ping without a payload. Conn.Ping would wait for its answer, which nobody here needs;
// between two messages it may go past the library.
const emptyPing = "\x89\x00"

// beat sends a ping.
func (o *socketOutput) beat() error {
	_, err := o.paced.Write([]byte(emptyPing))
	return err
}

// flush writes the packed message and everything gathered.
func (o *socketOutput) flush() error {
	err := o.pack()
	clear(o.parts)
	o.parts = o.parts[:0]
	if cap(o.parts) > keepPieces {
		o.parts = nil
	}
	if err != nil {
		return err
	}
	return o.paced.flush()
}

// pack writes the parts as one message. The parts are the ring's own bytes and are not copied together.
func (o *socketOutput) pack() error {
	switch len(o.parts) {
	case 0:
		return nil
	case 1:
		return o.conn.Write(context.Background(), websocket.MessageText, o.parts[0])
	}
	o.paced.cork()
	w, err := o.conn.Writer(context.Background(), websocket.MessageText)
	if err != nil {
		return err
	}
	for _, part := range o.parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
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
