package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// echoStream returns each message of a stream: both directions are in use at once.
var echoStream = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName: "Chat", ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			for {
				var message healthv1.HealthCheckRequest
				if err := stream.RecvMsg(&message); errors.Is(err, io.EOF) {
					return status.Error(codes.DataLoss, "the last word of "+message.Service)
				} else if err != nil {
					return err
				}
				if err := stream.SendMsg(&message); err != nil {
					return err
				}
			}
		},
	}},
}

// grpcPod starts a real gRPC server at the address.
func (r *rig) grpcPod(address string, options ...grpc.ServerOption) *health.Server {
	r.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	service := health.NewServer()
	healthv1.RegisterHealthServer(server, service)
	server.RegisterService(&echoStream, struct{}{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with the Stop below
	}()
	r.t.Cleanup(func() { server.Stop(); <-done })
	r.podAt(address, listener.Addr().String())
	return service
}

// grpcClient connects to the proxy over TLS.
func (r *rig) grpcClient() *grpc.ClientConn {
	r.t.Helper()
	secure := credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, ServerName: host}) // the self-signed certificate doesn't matter here
	conn, err := grpc.NewClient("passthrough:///"+r.listenTLS(), grpc.WithTransportCredentials(secure), grpc.WithAuthority(host))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestGRPC(t *testing.T) {
	certificate := newCA(t, "pods").issue(t, "web.shop.svc")
	for _, test := range []struct {
		protocol string
		options  []grpc.ServerOption
	}{
		{protocol: "GRPC"},
		{protocol: "GRPCS", options: []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(&certificate))}},
	} {
		t.Run(test.protocol, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			service := r.grpcPod("10.0.0.1:80", test.options...)
			service.SetServingStatus("shop", healthv1.HealthCheckResponse_SERVING)
			r.route(map[string]string{"backend-protocol": test.protocol}, "10.0.0.1:80")
			client := healthv1.NewHealthClient(r.grpcClient())
			checkUnary(t, client)
			checkWatch(t, client, service)
			checkChat(t, r.grpcClient())
		})
	}
}

// checkUnary makes a call that succeeds, and one whose response is only a status.
func checkUnary(t *testing.T, client healthv1.HealthClient) {
	t.Helper()
	answer, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "shop"})
	if err != nil || answer.Status != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("check: %v, %v", answer, err)
	}
	if _, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "unknown"}); status.Code(err) != codes.NotFound {
		t.Errorf("check of an unknown service: %v, want NotFound", err)
	}
}

// checkWatch reads a stream to which the server adds messages later.
func checkWatch(t *testing.T, client healthv1.HealthClient, service *health.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := client.Watch(ctx, &healthv1.HealthCheckRequest{Service: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{
		healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING,
	} {
		if answer, err := watch.Recv(); err != nil || answer.Status != want {
			t.Fatalf("watch: %v, %v; want %s", answer, err, want)
		}
		service.SetServingStatus("shop", healthv1.HealthCheckResponse_NOT_SERVING)
	}
}

// checkChat alternates sends and receives on one stream, and reads its status from the trailer.
func checkChat(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-who", "student")
	stream, err := conn.NewStream(ctx, &echoStream.Streams[0], "/test.Echo/Chat")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"one", "two", "three"} {
		if err := stream.SendMsg(&healthv1.HealthCheckRequest{Service: word}); err != nil {
			t.Fatalf("send %s: %v", word, err)
		}
		var echo healthv1.HealthCheckRequest
		if err := stream.RecvMsg(&echo); err != nil || echo.Service != word {
			t.Fatalf("received %q, %v; want %q", echo.Service, err, word)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(new(healthv1.HealthCheckRequest)); status.Code(err) != codes.DataLoss {
		t.Errorf("the stream ended with %v, want DataLoss", err)
	}
}
