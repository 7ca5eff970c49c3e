package nslookup

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// zone is a DNS server for tests.
type zone struct {
	records []string       // in the format of a zone file
	codes   map[string]int // name to a response code
	big     string         // the responses for this name exceed a UDP packet
	silent  bool

	mu    sync.Mutex
	asked []string
}

func (z *zone) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	question := query.Question[0]
	z.mu.Lock()
	z.asked = append(z.asked, question.Name+" "+dns.TypeToString[question.Qtype])
	z.mu.Unlock()
	reply := new(dns.Msg).SetReply(query)
	reply.Rcode = z.reply(reply, question)
	_, udp := w.RemoteAddr().(*net.UDPAddr)
	if udp && question.Name == z.big {
		reply.Truncated, reply.Answer = true, nil
	}
	packed, err := reply.Pack()
	if err != nil || z.silent {
		return
	}
	if udp { // a reply with another ID comes first; the client must ignore it
		stray := bytes.Clone(packed)
		stray[0] ^= 0xff
		_, _ = w.Write(stray)
	}
	_, _ = w.Write(packed)
}

// reply adds the records for a question, and returns the response code. An alias comes with both address types.
func (z *zone) reply(reply *dns.Msg, question dns.Question) int {
	exists := false
	for _, text := range z.records {
		record, err := dns.NewRR(text)
		if err != nil || record.Header().Name != question.Name {
			continue
		}
		exists = true
		kind := record.Header().Rrtype
		if kind == question.Qtype || kind == dns.TypeCNAME && (question.Qtype == dns.TypeA || question.Qtype == dns.TypeAAAA) {
			reply.Answer = append(reply.Answer, record)
		}
	}
	if code, found := z.codes[question.Name]; found || exists {
		return code
	}
	return dns.RcodeNameError
}

// serve starts the DNS server on UDP and TCP and returns its port.
func (z *zone) serve(t *testing.T) string {
	t.Helper()
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", stream.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []*dns.Server{{Listener: stream, Handler: z}, {PacketConn: packets, Handler: z}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	_, port, _ := net.SplitHostPort(stream.Addr().String())
	return port
}

// cluster returns a DNS server with the records of two Services.
func cluster() *zone {
	return &zone{
		records: []string{
			"backend-svc-1.default.svc.cluster.local. A 10.96.0.7",
			"headless.default.svc.cluster.local. A 10.244.1.2",
			"headless.default.svc.cluster.local. A 10.244.2.3",
			"headless.default.svc.cluster.local. AAAA fd00::1",
			"_http._tcp.headless.default.svc.cluster.local. SRV 0 50 8080 a.headless.default.svc.cluster.local.",
			"7.0.96.10.in-addr.arpa. PTR backend-svc-1.default.svc.cluster.local.",
			"example.test. CNAME www.example.test.",
			"example.test. A 192.0.2.1",
			"example.test. TXT \"hello world\"",
			"example.test. MX 10 mail.example.test.",
		},
		codes: map[string]int{"broken.test.": dns.RcodeServerFailure, "private.test.": dns.RcodeRefused},
		big:   "headless.default.svc.cluster.local.",
	}
}

// resolvConf writes the file that the kubelet writes for a pod in the namespace default.
func resolvConf(t *testing.T) string {
	t.Helper()
	return write(t, "# by the kubelet\nsearch default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\n"+
		"options ndots:5 attempts:1 timeout:1\n")
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLookup(t *testing.T) {
	port := cluster().serve(t)
	conf := resolvConf(t)
	server := "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1#" + port + "\n\n"
	tests := map[string]struct {
		args string
		code int
		want string
	}{
		"short name": {"backend-svc-1", 0, "Name:\tbackend-svc-1.default.svc.cluster.local\nAddress: 10.96.0.7\n"},
		"name and namespace": {
			"backend-svc-1.default", 0, "Name:\tbackend-svc-1.default.svc.cluster.local\nAddress: 10.96.0.7\n",
		},
		"pods of a headless service, over TCP": {
			"headless", 0, "Name:\theadless.default.svc.cluster.local\nAddress: 10.244.1.2\n" +
				"Name:\theadless.default.svc.cluster.local\nAddress: 10.244.2.3\n" +
				"Name:\theadless.default.svc.cluster.local\nAddress: fd00::1\n",
		},
		"named port": {
			"-type=srv _http._tcp.headless", 0,
			"_http._tcp.headless.default.svc.cluster.local\tservice = 0 50 8080 a.headless.default.svc.cluster.local.\n",
		},
		"address": {"10.96.0.7", 0, "7.0.96.10.in-addr.arpa\tname = backend-svc-1.default.svc.cluster.local.\n"},
		"alias, printed once": {"example.test", 0, "example.test\tcanonical name = www.example.test.\n" +
			"Name:\texample.test\nAddress: 192.0.2.1\n"},
		"mail exchanger": {"-type=MX example.test", 0, "example.test\tmail exchanger = 10 mail.example.test.\n"},
		"text":           {"-type=TXT example.test", 0, "example.test\ttext = \"hello world\"\n"},
		"server on the command line": {"example.test. 127.0.0.1", 0, "example.test\tcanonical name = www.example.test.\n" +
			"Name:\texample.test\nAddress: 192.0.2.1\n"},
		"unknown name":          {"nowhere", 1, "** server can't find nowhere: NXDOMAIN\n"},
		"complete name only":    {"backend-svc-1.", 1, "** server can't find backend-svc-1: NXDOMAIN\n"},
		"no record of the type": {"-type=MX backend-svc-1", 1, "*** Can't find backend-svc-1.default.svc.cluster.local: No answer\n"},
		"server failure":        {"broken.test.", 1, "** server can't find broken.test: SERVFAIL\n"},
		"refusal": {
			"private.test.", 1, "** server can't find private.test: REFUSED\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out, errOut strings.Builder
			args := append([]string{"-port=" + port}, strings.Fields(tt.args)...)
			code := run(t.Context(), args, conf, &out, &errOut)
			if code != tt.code || out.String() != server+tt.want {
				t.Errorf("nslookup %s: exit code %d\n%s%s\nwant %d\n%s", tt.args, code, out.String(), errOut.String(), tt.code, server+tt.want)
			}
		})
	}
}

// A name with fewer dots than ndots is tried with the search domains first. So, external names resolve slowly in a pod.
func TestLookupTriesSearchDomainsInOrder(t *testing.T) {
	z := cluster()
	port := z.serve(t)
	var out strings.Builder
	if code := run(t.Context(), []string{"-type=A", "-port=" + port, "example.test"}, resolvConf(t), &out, io.Discard); code != 0 {
		t.Fatalf("exit code %d: %s", code, out.String())
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	got := strings.Join(z.asked, "\n")
	want := "example.test.default.svc.cluster.local. A\nexample.test.svc.cluster.local. A\nexample.test.cluster.local. A\nexample.test. A"
	if got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
}

func TestInvalidCommandLine(t *testing.T) {
	for args, says := range map[string]string{
		"":              "no name given",
		"a b c":         `unexpected argument "c"`,
		"-type=X a":     `unknown type "X"`,
		"-port=0 a":     `port "0" is not between 1 and 65535`,
		"-frobnicate a": "option -frobnicate: unknown; the options are -type and -port",
	} {
		var out, errOut strings.Builder
		code := run(t.Context(), strings.Fields(args), "/does/not/exist", &out, &errOut)
		if code != 2 || !strings.Contains(errOut.String(), says) || out.Len() > 0 {
			t.Errorf("nslookup %s: %d %q; want 2 with %q", args, code, errOut.String(), says)
		}
	}
	var out strings.Builder
	if code := run(t.Context(), []string{"--help"}, "", &out, io.Discard); code != 0 || !strings.HasPrefix(out.String(), "usage: nslookup") {
		t.Errorf("--help: %d %q", code, out.String())
	}
}

func TestLookupWithoutReply(t *testing.T) {
	silent := &zone{silent: true}
	port := silent.serve(t)
	tests := map[string]struct{ args, conf, says string }{
		"no resolv.conf": {"a", "/does/not/exist", "resolver configuration: open /does/not/exist"},
		"silent server":  {"-port=" + port + " a.", resolvConf(t), "no reply before the timeout\n;; no server could be reached"},
		"unknown server": {"a not..a..name", resolvConf(t), `server "not..a..name"`},
		"name too long":  {strings.Repeat("a", 300) + ".", resolvConf(t), "name \"aaa"},
		"label too long": {strings.Repeat("a", 64) + ".", resolvConf(t), "name \"aaa"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			code := run(t.Context(), strings.Fields(tt.args), tt.conf, &out, &out)
			if code != 1 || !strings.Contains(out.String(), tt.says) {
				t.Errorf("nslookup %s: %d %q; want 1 with %q", tt.args, code, out.String(), tt.says)
			}
		})
	}
}
