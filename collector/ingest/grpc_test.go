package ingest

import (
	"context"
	"net"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
)

// dial serves the rig over gRPC and connects to it.
func (r *rig) dial(t *testing.T, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := r.NewGRPCServer()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}

func request1(t *testing.T, body []byte) ptraceotlp.ExportRequest {
	t.Helper()
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(body); err != nil {
		t.Fatal(err)
	}
	return req
}

func TestGRPC(t *testing.T) {
	r := newRig(t, nil)
	client := ptraceotlp.NewGRPCClient(r.dial(t))
	want := makeRun(2)
	res, err := client.Export(t.Context(), request1(t, marshal(t, want)), grpc.UseCompressor(gzip.Name))
	if err != nil || res.PartialSuccess().ErrorMessage() != "" {
		t.Fatal(err, res.PartialSuccess().ErrorMessage())
	}
	res, err = client.Export(t.Context(), request1(t, late(t, makeRun(0))))
	if err != nil || res.PartialSuccess().RejectedSpans() != 1 || !strings.Contains(res.PartialSuccess().ErrorMessage(), "run_id") {
		t.Errorf("%v, %d rejected, %q", err, res.PartialSuccess().RejectedSpans(), res.PartialSuccess().ErrorMessage())
	}
	r.until("stored", func() bool { return r.store.len() == 1 })
	row, at, _ := r.store.get(want.RunID)
	steps, _, err := Steps(r.log, want.RunID, at)
	if err != nil || len(steps) != 2 || row.Run.ClientIP != "127.0.0.1" {
		t.Errorf("%v, %d steps, client %q", err, len(steps), row.Run.ClientIP)
	}
}

func TestGRPCRefused(t *testing.T) {
	retry := func(err error) bool {
		for _, d := range status.Convert(err).Details() {
			if info, ok := d.(*errdetails.RetryInfo); ok && info.RetryDelay.AsDuration() == comeAgain {
				return true
			}
		}
		return false
	}
	export := func(r *rig, t *testing.T, body []byte, options ...grpc.CallOption) error {
		var answer rawMessage
		return r.dial(t, grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}))).Invoke(t.Context(),
			"/opentelemetry.proto.collector.trace.v1.TraceService/Export", rawMessage(body), &answer, options...)
	}
	for _, c := range []struct {
		name    string
		change  func(*Config)
		body    []byte
		options []grpc.CallOption
		code    codes.Code
		retry   bool
	}{
		{"malformed", nil, []byte("\xff\xffgarbage"), nil, codes.InvalidArgument, false},
		{"truncated", nil, marshal(t, makeRun(0))[:50], nil, codes.InvalidArgument, false},
		{"too large", nil, make([]byte, MaxGRPCMessage+1), nil, codes.ResourceExhausted, false},
		{"bomb", nil, make([]byte, MaxGRPCMessage+1), []grpc.CallOption{grpc.UseCompressor(gzip.Name)}, codes.ResourceExhausted, false},
		{"too much on its way", func(c *Config) { c.MaxBytes = 100 }, marshal(t, makeRun(0)), nil, codes.ResourceExhausted, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.change)
			err := export(r, t, c.body, c.options...)
			if status.Code(err) != c.code || retry(err) != c.retry {
				t.Errorf("%v, RetryInfo %t; want %s, %t", err, retry(err), c.code, c.retry)
			}
			if r.log.Stats().Segments > 0 {
				t.Error("something is in the log")
			}
		})
	}
	t.Run("log closed", func(t *testing.T) {
		r := newRig(t, nil)
		if err := r.log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := export(r, t, marshal(t, makeRun(0))); status.Code(err) != codes.Unavailable || !retry(err) {
			t.Errorf("%v; want Unavailable with RetryInfo", err)
		}
	})
}

// Calls that send nothing cannot take all places for good: beyond the bound
// senders are told to come again, and when a caller goes its place is free.
func TestGRPCCallsAreBounded(t *testing.T) {
	r := newRig(t, nil)
	conn := r.dial(t)
	client := ptraceotlp.NewGRPCClient(conn)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// One connection has as many streams as there are places in all, so the
	// call that finds none free comes over another.
	other := ptraceotlp.NewGRPCClient(r.other(t, conn))
	for range maxGRPCCalls {
		_, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true},
			"/opentelemetry.proto.collector.trace.v1.TraceService/Export")
		if err != nil {
			t.Fatal(err)
		}
	}
	r.until("all places taken", func() bool { return len(r.calls) == maxGRPCCalls })
	if _, err := other.Export(t.Context(), request1(t, marshal(t, makeRun(0)))); status.Code(err) != codes.Unavailable {
		t.Errorf("one call more: %v, want Unavailable", err)
	}
	cancel()
	r.until("taken again", func() bool {
		_, err := client.Export(t.Context(), request1(t, marshal(t, makeRun(0))))
		return err == nil
	})
}

// other is another connection to the server of conn.
func (r *rig) other(t *testing.T, conn *grpc.ClientConn) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(conn.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
