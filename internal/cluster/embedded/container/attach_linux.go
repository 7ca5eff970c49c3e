package container

import (
	"context"
	"io"
)

// Attach implements Container. Input goes to the container if it was started with Stdin; that input ends does not end the
// container's own, unless it was started with StdinOnce. Reads from Stdin that are still waiting when Attach returns are the
// caller's to end.
func (c *instance) Attach(ctx context.Context, e Exec) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listeners := [2]*listener{c.out[0].join(e.Stdout)}
	if c.terminal == nil {
		listeners[1] = c.out[1].join(e.Stderr)
	}
	defer func() {
		for i, l := range listeners {
			if l != nil {
				c.out[i].leave(l)
			}
		}
	}()
	if c.terminal != nil && e.Resize != nil {
		go resize(ctx, c.terminal, e.Resize)
	}
	if e.Stdin != nil && c.input != nil {
		go c.feed(e.Stdin)
	}
	for _, l := range listeners {
		if l == nil {
			continue
		}
		select {
		case <-l.heard:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// feed writes to the container's standard input.
func (c *instance) feed(r io.Reader) {
	_, _ = io.Copy(c.input, r) // ends with the container or the reader
	if c.inputOnce && c.terminal == nil {
		_ = c.input.Close() // now the program sees the end; somebody else may have closed it
	}
}
