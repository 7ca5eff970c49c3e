package proxy_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// roleVariable makes this test binary run as one of the programs that BenchmarkCPU measures.
const roleVariable = "INGRESSLAB_BENCH_ROLE"

// backendVariable has the backend's address.
const backendVariable = "INGRESSLAB_BENCH_BACKEND"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		m.Run()
	case "backend":
		play(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("0123456", 10))
		}))
	case "proxy":
		playProxy()
	case "bare":
		play(&httputil.ReverseProxy{
			Rewrite: func(pr *httputil.ProxyRequest) {
				pr.Out.URL.Scheme, pr.Out.URL.Host = "http", os.Getenv(backendVariable)
				pr.SetXForwarded()
			},
			Transport: &http.Transport{MaxIdleConnsPerHost: 128},
		})
	}
}

// play serves until its standard input ends. For each line of input, it prints the CPU time that it
// has used so far.
func play(handler http.Handler) {
	playOn(&http.Server{Handler: handler}, func(l net.Listener) net.Listener { return l })
}

func playProxy() {
	server := proxy.New(proxy.Options{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, os.Getenv(backendVariable))
	}})
	table, _ := routing.Build(snapshot(nil, []string{"10.0.0.1:80"}), routing.Options{IngressClass: "lab"}, nil)
	server.Swap(table)
	playOn(proxy.NewHTTPServer(context.Background(), server), proxy.Listen)
}

func playOn(server *http.Server, wrap func(net.Listener) net.Listener) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(wrap(listener)) }() // ends with the process
	fmt.Println(listener.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(usage.Utime.Nano() + usage.Stime.Nano())
	}
}

// program is a child process in one of the roles.
type program struct {
	b       testing.TB
	in      io.WriteCloser
	out     *bufio.Reader
	address string
}

func start(b testing.TB, role, backend string) *program {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0])
	command.Env = append(os.Environ(), roleVariable+"="+role, backendVariable+"="+backend)
	command.Stderr = os.Stderr
	in, errIn := command.StdinPipe()
	out, errOut := command.StdoutPipe()
	if err := cmp.Or(errIn, errOut, command.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	p := &program{b: b, in: in, out: bufio.NewReader(out)}
	p.address = p.line()
	return p
}

func (p *program) line() string {
	p.b.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// cpu returns the user and system time of the program.
func (p *program) cpu() time.Duration {
	p.b.Helper()
	if _, err := fmt.Fprintln(p.in); err != nil {
		p.b.Fatal(err)
	}
	var used time.Duration
	if _, err := fmt.Sscan(p.line(), &used); err != nil {
		p.b.Fatal(err)
	}
	return used
}

// load sends requests over 16 kept-alive connections and reads the responses. It uses little CPU,
// to leave the machine to the program.
func (p *program) load(requests int) {
	const clients = 16
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			conn, err := net.Dial("tcp", p.address)
			if err != nil {
				p.b.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			answers := bufio.NewReader(conn)
			for range requests / clients {
				_, err := io.WriteString(conn, "GET /path HTTP/1.1\r\nHost: "+host+"\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
				if err == nil {
					err = skipAnswer(answers)
				}
				if err != nil {
					p.b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
}

// skipAnswer reads a 200 response with the backend's 70 bytes.
func skipAnswer(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err == nil && !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("response %q", status)
	}
	for line := status; err == nil && len(line) > len("\r\n"); {
		line, err = r.ReadSlice('\n')
	}
	if err == nil {
		_, err = r.Discard(70)
	}
	return err
}

// BenchmarkCPU measures the CPU time per request of the proxy's process, compared with a bare
// httputil.ReverseProxy. Client, backend and the two proxies are separate processes. The rounds
// alternate, so other load affects both alike. The result is the metric "ratio".
func BenchmarkCPU(b *testing.B) {
	const requests = 8000
	backend := start(b, "backend", "")
	ours, bare := start(b, "proxy", backend.address), start(b, "bare", backend.address)
	ours.load(requests)
	bare.load(requests)
	var used [2]time.Duration
	for b.Loop() {
		for i, p := range []*program{ours, bare} {
			before := p.cpu()
			p.load(requests)
			used[i] += p.cpu() - before
		}
	}
	each := func(total time.Duration) float64 { return float64(total.Microseconds()) / float64(b.N*requests) }
	b.ReportMetric(each(used[0]), "proxy-µs/request")
	b.ReportMetric(each(used[1]), "bare-µs/request")
	b.ReportMetric(float64(used[0])/float64(used[1]), "ratio")
	b.ReportMetric(0, "ns/op")
}
