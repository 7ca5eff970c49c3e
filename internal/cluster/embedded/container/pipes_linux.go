package container

import (
	"errors"
	"os"
	"time"
)

// pipes are the standard streams of a child, and our ends of them; /dev/null where there is none.
type pipes struct {
	theirs, ours [3]*os.File
}

func openPipes(in, out, err bool) (*pipes, error) {
	p := &pipes{}
	for i, want := range [3]bool{in, out, err} {
		if e := p.open(i, want); e != nil {
			p.closeTheirs()
			p.closeOurs()
			return nil, e
		}
	}
	return p, nil
}

func (p *pipes) open(i int, want bool) (err error) {
	switch {
	case !want:
		p.theirs[i], err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
	case i == 0:
		p.theirs[i], p.ours[i], err = os.Pipe()
	default:
		p.ours[i], p.theirs[i], err = os.Pipe()
	}
	return err
}

func (p *pipes) closeTheirs() { closeAll(p.theirs) }

func (p *pipes) closeOurs() { closeAll(p.ours) }

// limit ends a read of our ends that waits, after a time.
func (p *pipes) limit(d time.Duration) {
	for _, f := range p.ours[1:] {
		if f != nil {
			_ = f.SetReadDeadline(time.Now().Add(d)) // a pipe can be polled
		}
	}
}

// lastWords is how long output is waited for when the process that could make it has ended: somebody it has handed its
// output to may keep that open.
const lastWords = time.Second

// hear calls f with everything that can be read, until the end, or when over is closed until nothing has come for a while.
func hear(r *os.File, over <-chan struct{}, f func([]byte)) {
	buf := make([]byte, 32<<10)
	for {
		select {
		case <-over:
			_ = r.SetReadDeadline(time.Now().Add(lastWords)) // it can be polled
		default:
		}
		n, err := r.Read(buf)
		if n > 0 {
			f(buf[:n])
		}
		if err != nil { // the end: of a terminal it is EIO
			return
		}
	}
}

func closeAll(files [3]*os.File) {
	var err error
	for _, f := range files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	_ = err // pipes have nothing to lose; one may be closed already
}
