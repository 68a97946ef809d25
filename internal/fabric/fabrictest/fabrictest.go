// Package fabrictest is the conformance kit of a fabric: every implementation runs the same tests.
package fabrictest

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/spilelog/spile/internal/fabric"
)

// patience is how long a message may take before it counts as lost.
const patience = 10 * time.Second

// Run holds the fabrics that open makes against the contract of [fabric.Fabric]. Each is closed by the kit.
func Run(t *testing.T, open func(t *testing.T) fabric.Fabric) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, fabric.Fabric){
		"delivers-in-order":                order,
		"reaches-every-subscription":       everySubscription,
		"keeps-subjects-apart":             subjects,
		"drops-what-does-not-fit":          drops,
		"answers-requests":                 requests,
		"request-without-anybody-fails":    noResponders,
		"request-ends-with-its-context":    requestContext,
		"closes-from-the-handler":          closeFromHandler,
		"nothing-comes-after-close":        closeIsFinal,
		"every-call-after-close-is-closed": afterClose,
		"everything-at-once":               hammer,
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			test(t, f)
			if err := f.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if err := f.Close(); err != nil {
				t.Errorf("second close: %v", err)
			}
		})
	}
}

// subscribe subscribes or fails the test.
func subscribe(t *testing.T, f fabric.Fabric, subject string, queue int, h fabric.Handler) fabric.Subscription {
	t.Helper()
	sub, err := f.Subscribe(subject, queue, h)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return sub
}

// publish publishes or fails the test.
func publish(t *testing.T, f fabric.Fabric, subject, data string) {
	t.Helper()
	if err := f.Publish(subject, []byte(data)); err != nil {
		t.Errorf("publish: %v", err)
	}
}

// receive takes one message off a channel that a handler fills.
func receive(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatal("no message")
		return ""
	}
}

// into is a handler that fills a channel.
func into(c chan<- string) fabric.Handler {
	return func(data []byte) []byte {
		c <- string(data)
		return nil
	}
}

func order(t *testing.T, f fabric.Fabric) {
	const count = 1000
	got := make(chan string, count)
	subscribe(t, f, "a.b", count, into(got))
	for i := range count {
		publish(t, f, "a.b", string(binary.BigEndian.AppendUint32(nil, uint32(i))))
	}
	for i := range count {
		if n := binary.BigEndian.Uint32([]byte(receive(t, got))); n != uint32(i) {
			t.Fatalf("message %d came at %d", n, i)
		}
	}
}

func everySubscription(t *testing.T, f fabric.Fabric) {
	first, second := make(chan string, 1), make(chan string, 1)
	subscribe(t, f, "a", 1, into(first))
	subscribe(t, f, "a", 1, into(second))
	publish(t, f, "a", "x")
	if receive(t, first) != "x" || receive(t, second) != "x" {
		t.Error("another message came")
	}
}

func subjects(t *testing.T, f fabric.Fabric) {
	got := make(chan string, 4)
	subscribe(t, f, "a.b", 4, into(got))
	publish(t, f, "a", "wrong")
	publish(t, f, "a.b.c", "wrong")
	publish(t, f, "a.b", "right")
	if text := receive(t, got); text != "right" {
		t.Errorf("got a message of another subject")
	}
}

func drops(t *testing.T, f fabric.Fabric) {
	const queue, count = 4, 100
	entered, release, got := make(chan struct{}, count), make(chan struct{}), make(chan string, count)
	sub := subscribe(t, f, "a", queue, func(data []byte) []byte {
		entered <- struct{}{}
		<-release
		got <- string(data)
		return nil
	})
	publish(t, f, "a", "first")
	<-entered
	for range count - 1 {
		publish(t, f, "a", "more")
	}
	deadline := time.Now().Add(patience)
	for sub.Dropped() < count-1-queue && time.Now().Before(deadline) {
		<-time.After(time.Millisecond)
	}
	if dropped := sub.Dropped(); dropped != count-1-queue {
		t.Errorf("dropped %d, want %d", dropped, count-1-queue)
	}
	close(release)
	for range queue + 1 {
		receive(t, got)
	}
}

func requests(t *testing.T, f fabric.Fabric) {
	subscribe(t, f, "a", 1, func(data []byte) []byte { return append([]byte("re: "), data...) })
	answer, err := f.Request(t.Context(), "a", []byte("x"))
	if err != nil || string(answer) != "re: x" {
		t.Errorf("got %q, %v", answer, err)
	}
}

func noResponders(t *testing.T, f fabric.Fabric) {
	if _, err := f.Request(t.Context(), "nobody", nil); !errors.Is(err, fabric.ErrNoResponders) {
		t.Errorf("got %v, want no responders", err)
	}
}

func requestContext(t *testing.T, f fabric.Fabric) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	subscribe(t, f, "a", 1, func([]byte) []byte {
		cancel()
		<-release
		return nil
	})
	if _, err := f.Request(ctx, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	close(release)
}

func closeFromHandler(t *testing.T, f fabric.Fabric) {
	ready, closed := make(chan fabric.Subscription, 1), make(chan string, 1)
	sub := subscribe(t, f, "a", 1, func([]byte) []byte {
		if err := (<-ready).Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		closed <- "done"
		return nil
	})
	ready <- sub
	publish(t, f, "a", "x")
	receive(t, closed)
	if err := sub.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func closeIsFinal(t *testing.T, f fabric.Fabric) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	var done bool // written by the handler, read after Close, which waits for it
	sub := subscribe(t, f, "a", 10, func([]byte) []byte {
		entered <- struct{}{}
		<-release
		done = true
		return nil
	})
	publish(t, f, "a", "x")
	<-entered
	go close(release)
	if err := sub.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if !done {
		t.Error("close did not wait for the handler")
	}
	publish(t, f, "a", "y")
}

func afterClose(t *testing.T, f fabric.Fabric) {
	if err := f.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	_, subscribed := f.Subscribe("a", 1, func([]byte) []byte { return nil })
	_, requested := f.Request(t.Context(), "a", nil)
	for name, err := range map[string]error{
		"publish": f.Publish("a", nil), "subscribe": subscribed, "request": requested,
	} {
		if !errors.Is(err, fabric.ErrClosed) {
			t.Errorf("%s: got %v, want closed", name, err)
		}
	}
}

func hammer(t *testing.T, f fabric.Fabric) {
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				sub, err := f.Subscribe("a", 2, func(data []byte) []byte { return data })
				if err != nil {
					t.Errorf("subscribe: %v", err)
					return
				}
				publish(t, f, "a", "x")
				_, err = f.Request(t.Context(), "a", nil)
				if err != nil && !errors.Is(err, fabric.ErrNoResponders) {
					t.Errorf("request: %v", err)
				}
				_ = sub.Dropped()
				if err := sub.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
	group.Wait()
}
