package uplink

import (
	"context"
	"errors"
	"fmt"

	"github.com/coder/websocket"
)

// errDown is the error of a delivery while there is no connection.
var errDown = errors.New("link is down")

// Deliver sends the one message that compose returns, past the queue, and returns nil once the server has acted on it.
// A pong says so: the server takes what comes one after another, and sees the ping behind the message only when it is
// through with that. Deliver waits as long as the connection lasts, which is cut when the server is silent for too
// long. After an error nobody knows whether the message arrived.
//
// The message goes to the connection that there was before it was composed, or nowhere: compose is not called while the
// link is down, and what it says never reaches a server that was introduced to something newer.
func (l *Link) Deliver(ctx context.Context, compose func() ([]byte, error)) error {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil {
		return errDown
	}
	msg, err := compose()
	if err != nil {
		return err
	}
	writing, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := conn.Write(writing, websocket.MessageBinary, msg); err != nil {
		return fmt.Errorf("deliver message: %w", err)
	}
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("await that the message is taken: %w", err)
	}
	l.hear()
	return nil
}
