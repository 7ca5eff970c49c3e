package nslookup

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is a name server for tests: what it knows, by name and type.
type zone struct {
	records map[string][]dnsmessage.ResourceBody // "name. A" to records
	codes   map[string]dnsmessage.RCode          // name to a failure
	big     string                               // this name's answers do not fit into UDP
	silent  bool

	mu    sync.Mutex
	asked []string
}

func (z *zone) answer(packed []byte, udp bool) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(packed); err != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := q.Name.String()
	z.mu.Lock()
	z.asked = append(z.asked, name+" "+strings.TrimPrefix(q.Type.String(), "Type"))
	z.mu.Unlock()
	m.Response = true
	m.RCode = z.codes[name]
	exists := false
	for key, bodies := range z.records {
		owner, kind, _ := strings.Cut(key, " ")
		exists = exists || owner == name
		if owner != name || kind != strings.TrimPrefix(q.Type.String(), "Type") {
			continue
		}
		for _, body := range bodies {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: body})
		}
	}
	if !exists && m.RCode == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	if udp && name == z.big {
		m.Truncated, m.Answers = true, nil
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}

// serve starts the name server on UDP and TCP and returns its port.
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
	t.Cleanup(func() { _, _ = stream.Close(), packets.Close() })
	go z.serveUDP(packets)
	go z.serveTCP(stream)
	_, port, _ := net.SplitHostPort(stream.Addr().String())
	return port
}

func (z *zone) serveUDP(packets net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		answer := z.answer(buffer[:n], true)
		if z.silent || answer == nil {
			continue
		}
		// An answer to somebody else's question comes first: a client must not take it for its own.
		stray := bytes.Clone(answer)
		stray[0] ^= 0xff
		_, _ = packets.WriteTo(stray, from)
		_, _ = packets.WriteTo(answer, from)
	}
}

func (z *zone) serveTCP(stream net.Listener) {
	for {
		conn, err := stream.Accept()
		if err != nil {
			return
		}
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) == nil {
			packed := make([]byte, size)
			if _, err := io.ReadFull(conn, packed); err == nil {
				answer := z.answer(packed, false)
				_ = binary.Write(conn, binary.BigEndian, uint16(len(answer)))
				_, _ = conn.Write(answer)
			}
		}
		_ = conn.Close()
	}
}

func name(text string) dnsmessage.Name { return dnsmessage.MustNewName(text) }

// cluster is what CoreDNS would say about two services.
func cluster() *zone {
	return &zone{
		records: map[string][]dnsmessage.ResourceBody{
			"backend-svc-1.default.svc.cluster.local. A": {&dnsmessage.AResource{A: [4]byte{10, 96, 0, 7}}},
			"headless.default.svc.cluster.local. A": {
				&dnsmessage.AResource{A: [4]byte{10, 244, 1, 2}}, &dnsmessage.AResource{A: [4]byte{10, 244, 2, 3}},
			},
			"headless.default.svc.cluster.local. AAAA":           {&dnsmessage.AAAAResource{AAAA: [16]byte{0xfd, 15: 1}}},
			"_http._tcp.headless.default.svc.cluster.local. SRV": {&dnsmessage.SRVResource{Weight: 50, Port: 8080, Target: name("a.headless.default.svc.cluster.local.")}},
			"7.0.96.10.in-addr.arpa. PTR":                        {&dnsmessage.PTRResource{PTR: name("backend-svc-1.default.svc.cluster.local.")}},
			"example.test. A":                                    {&dnsmessage.CNAMEResource{CNAME: name("www.example.test.")}, &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}},
			"example.test. AAAA":                                 {&dnsmessage.CNAMEResource{CNAME: name("www.example.test.")}},
			"example.test. TXT":                                  {&dnsmessage.TXTResource{TXT: []string{"hello world"}}},
		},
		codes: map[string]dnsmessage.RCode{"broken.test.": dnsmessage.RCodeServerFailure, "private.test.": dnsmessage.RCodeRefused},
		big:   "headless.default.svc.cluster.local.",
	}
}

// resolvConf is what the kubelet writes for a pod in the namespace default.
func resolvConf(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	text := "# by the kubelet\nsearch default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\noptions ndots:5 attempts:1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLookups(t *testing.T) {
	port := cluster().serve(t)
	conf := resolvConf(t)
	server := "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1#" + port + "\n\n"
	tests := map[string]struct {
		args string
		code int
		want string
	}{
		"a short name": {"backend-svc-1", 0, "Name:\tbackend-svc-1.default.svc.cluster.local\nAddress: 10.96.0.7\n"},
		"a name in a namespace": {
			"backend-svc-1.default", 0, "Name:\tbackend-svc-1.default.svc.cluster.local\nAddress: 10.96.0.7\n",
		},
		"pods of a headless service, over TCP": {
			"headless", 0, "Name:\theadless.default.svc.cluster.local\nAddress: 10.244.1.2\n" +
				"Name:\theadless.default.svc.cluster.local\nAddress: 10.244.2.3\n" +
				"Name:\theadless.default.svc.cluster.local\nAddress: fd00::1\n",
		},
		"a named port": {
			"-type=srv _http._tcp.headless", 0,
			"_http._tcp.headless.default.svc.cluster.local\tservice = 0 50 8080 a.headless.default.svc.cluster.local.\n",
		},
		"an address":           {"10.96.0.7", 0, "7.0.96.10.in-addr.arpa\tname = backend-svc-1.default.svc.cluster.local.\n"},
		"an alias, told once":  {"example.test", 0, "example.test\tcanonical name = www.example.test.\nName:\texample.test\nAddress: 192.0.2.1\n"},
		"text":                 {"-type=TXT example.test", 0, "example.test\ttext = \"hello world\"\n"},
		"a server by hand":     {"example.test. 127.0.0.1", 0, "example.test\tcanonical name = www.example.test.\nName:\texample.test\nAddress: 192.0.2.1\n"},
		"nothing known":        {"nowhere", 1, "** server can't find nowhere: NXDOMAIN\n"},
		"a complete name only": {"backend-svc-1.", 1, "** server can't find backend-svc-1: NXDOMAIN\n"},
		"nothing of that type": {"-type=MX backend-svc-1", 1, "*** Can't find backend-svc-1.default.svc.cluster.local: No answer\n"},
		"a server in trouble":  {"broken.test.", 1, "** server can't find broken.test: SERVFAIL\n"},
		"a server that will not": {
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

// A name with few dots meets the search domains first: this is why ndots:5 makes names of the world
// outside slow to resolve in a pod.
func TestSearchDomainsAreTriedInOrder(t *testing.T) {
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

func TestUsage(t *testing.T) {
	for args, says := range map[string]string{
		"":                "no name given",
		"a b c":           `unexpected argument "c"`,
		"-type=X a":       `unknown type "X"`,
		"-port=0 a":       `port "0" is not between 1 and 65535`,
		"-timeout=soon a": `"soon" is not between 1 and 300 seconds`,
		"-frobnicate a":   "option -frobnicate: is unknown",
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

func TestNobodyToAsk(t *testing.T) {
	silent := &zone{silent: true}
	port := silent.serve(t)
	tests := map[string]struct{ args, conf, says string }{
		"no resolv.conf":   {"a", "/does/not/exist", "resolver configuration: open /does/not/exist"},
		"a silent server":  {"-timeout=1 -port=" + port + " a.", resolvConf(t), "no answer in time\n;; no server could be reached"},
		"no such server":   {"a not..a..name", resolvConf(t), `server "not..a..name"`},
		"a name too long":  {strings.Repeat("a", 300) + ".", resolvConf(t), "name \"aaa"},
		"a label too long": {strings.Repeat("a", 64) + ".", resolvConf(t), "name \"aaa"},
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
