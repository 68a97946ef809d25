package fabric

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Memory is the fabric of a single server: everything stays in the process.
type Memory struct {
	// mu guards the fields below.
	mu     sync.RWMutex
	subs   map[string][]*memorySub
	closed bool
}

// NewMemory returns an empty fabric.
func NewMemory() *Memory { return &Memory{subs: map[string][]*memorySub{}} }

// message is one entry of a subscription's queue; reply is nil unless it is a request.
type message struct {
	data  []byte
	reply chan []byte
}

// memorySub is one subscription. Its queue is never closed: stop ends the loop, done says that it has ended.
type memorySub struct {
	owner     *Memory
	subject   string
	handler   Handler
	queue     chan message
	stop      chan struct{}
	done      chan struct{}
	stopOnce  sync.Once
	dropped   atomic.Uint64
	goroutine atomic.Pointer[[]byte]
}

// Publish sends data to all subscriptions of subject.
func (m *Memory) Publish(subject string, data []byte) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	for _, s := range m.subs[subject] {
		s.offer(message{data: data})
	}
	return nil
}

// Subscribe calls h for each message on exactly subject. A queue below 1 counts as 1.
func (m *Memory) Subscribe(subject string, queue int, h Handler) (Subscription, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	s := &memorySub{
		owner: m, subject: subject, handler: h,
		queue: make(chan message, max(queue, 1)), stop: make(chan struct{}), done: make(chan struct{}),
	}
	m.subs[subject] = append(m.subs[subject], s)
	go s.loop()
	return s, nil
}

// Request sends data to one subscription of subject and waits for its answer.
func (m *Memory) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	m.mu.RLock()
	if m.closed {
		m.mu.RUnlock()
		return nil, ErrClosed
	}
	reply := make(chan []byte, 1)
	var taken *memorySub
	for _, s := range m.subs[subject] {
		if s.offer(message{data: data, reply: reply}) {
			taken = s
			break
		}
	}
	m.mu.RUnlock()
	if taken == nil {
		return nil, fmt.Errorf("request %s: %w", subject, ErrNoResponders)
	}
	select {
	case answer := <-reply:
		return answer, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("request %s: %w", subject, ctx.Err())
	case <-taken.done:
	}
	select {
	case answer := <-reply:
		return answer, nil
	default:
		return nil, fmt.Errorf("request %s: %w", subject, ErrNoResponders)
	}
}

// Close ends all subscriptions and waits for their handlers.
func (m *Memory) Close() error {
	m.mu.Lock()
	m.closed = true
	var all []*memorySub
	for _, list := range m.subs {
		all = append(all, list...)
	}
	m.subs = map[string][]*memorySub{}
	m.mu.Unlock()
	for _, s := range all {
		s.end()
	}
	return nil
}

// offer puts msg into the queue, or counts it as dropped.
func (s *memorySub) offer(msg message) bool {
	select {
	case s.queue <- msg:
		return true
	default:
		s.dropped.Add(1)
		return false
	}
}

// loop calls the handler until the subscription ends.
func (s *memorySub) loop() {
	defer close(s.done)
	id := goroutineID()
	s.goroutine.Store(&id)
	for {
		select {
		case <-s.stop:
			return
		default:
		}
		select {
		case <-s.stop:
			return
		case msg := <-s.queue:
			answer := s.handler(msg.data)
			if msg.reply != nil {
				msg.reply <- answer
			}
		}
	}
}

// Dropped counts the messages that did not fit the queue.
func (s *memorySub) Dropped() uint64 { return s.dropped.Load() }

// Close ends the subscription and waits for a running handler, unless that handler is the caller.
func (s *memorySub) Close() error {
	s.owner.remove(s)
	s.end()
	return nil
}

// end stops the loop and waits for it, unless it runs on the loop's own goroutine.
func (s *memorySub) end() {
	s.stopOnce.Do(func() { close(s.stop) })
	if id := s.goroutine.Load(); id != nil && bytes.Equal(*id, goroutineID()) {
		return
	}
	<-s.done
}

// remove forgets a subscription.
func (m *Memory) remove(s *memorySub) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.subs[s.subject]
	list := make([]*memorySub, 0, len(old))
	for _, other := range old {
		if other != s {
			list = append(list, other)
		}
	}
	if len(list) == 0 {
		delete(m.subs, s.subject)
		return
	}
	m.subs[s.subject] = list
}

// goroutineID is the "goroutine N" that opens a stack trace. Only Close needs it: a handler that closes its own
// subscription must not wait for itself, and Go has no other way to tell that the caller is the handler.
func goroutineID() []byte {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	id, _, _ := bytes.Cut(buf, []byte(" ["))
	return id
}
