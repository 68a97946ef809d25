package demo

import (
	"bufio"
	"context"
	"fmt"
)

// prompt prints a new login for each line on Stdin, until ctx ends.
func (d *demo) prompt(ctx context.Context) error {
	lines := d.lines(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, more := <-lines:
			if !more {
				lines = nil // nobody will ask again
				continue
			}
		}
		if _, err := fmt.Fprintf(d.cfg.Stdout, "  %s\n", d.srv.NewLogin()); err != nil {
			return fmt.Errorf("print login: %w", err)
		}
	}
}

// lines is signalled for each line on Stdin and closed at its end. The goroutine behind it is the one that nobody can
// wait for: a read from a terminal cannot be ended, so it lasts until the next line or the end of the process.
func (d *demo) lines(ctx context.Context) <-chan struct{} {
	out := make(chan struct{}) // closed by the reading goroutine
	if d.cfg.Stdin == nil {
		return nil
	}
	go func() {
		defer close(out)
		in := bufio.NewScanner(d.cfg.Stdin)
		for in.Scan() {
			select {
			case out <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
