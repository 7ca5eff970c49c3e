package proxy

import "context"

// Paced writes bytes at a rate, and returns how many were written before ctx ended.
func Paced(ctx context.Context, rate, free int64, bytes int) (int, error) {
	p := &pace{rate: rate, free: free}
	sent := 0
	for sent < bytes {
		n, err := p.next(ctx, bytes-sent)
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}
