package ingest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // the compression that OTLP/gRPC clients use
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/firstframe/firstframe/collector/geo"
	"github.com/firstframe/firstframe/collector/wal"
)

// The bounds of OTLP/gRPC. A message is in memory before it can be counted, so
// calls under way times their size bounds it.
const (
	MaxGRPCMessage = 16 << 20         // bytes, compressed or not
	maxGRPCCalls   = 32               // at a time, over all connections
	maxGRPCTime    = 30 * time.Second // of one call
	maxGRPCStreams = 32               // of one connection
	maxGRPCHeader  = 16 << 10         // bytes of a call's headers
)

// NewGRPCServer is a server of opentelemetry.proto.collector.trace.v1's
// TraceService, with the same path as HTTP. The caller serves and stops it.
func (in *Ingester) NewGRPCServer() *grpc.Server {
	s := grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(min(MaxGRPCMessage, in.cfg.MaxBody)),
		grpc.MaxHeaderListSize(maxGRPCHeader),
		grpc.MaxConcurrentStreams(maxGRPCStreams),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 5 * time.Minute, Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) {
			select {
			case in.calls <- struct{}{}:
			default:
				in.metrics.request("grpc", int(codes.Unavailable))
				return nil, status.Errorf(codes.Unavailable, "%d calls are under way", maxGRPCCalls)
			}
			ctx, cancel := context.WithTimeout(ctx, maxGRPCTime)
			context.AfterFunc(ctx, func() { cancel(); <-in.calls }) // ends with the call
			return ctx, nil
		}),
	)
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "opentelemetry.proto.collector.trace.v1.TraceService",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Export", Handler: in.export}},
		Metadata:    "opentelemetry/proto/collector/trace/v1/trace_service.proto",
	}, in)
	return s
}

// export answers one call.
func (in *Ingester) export(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var body rawMessage
	if err := decode(&body); err != nil {
		return nil, err
	}
	h := &hold{of: &in.budget}
	defer h.release()
	got, err := reply{}, busy("too many bytes are on their way")
	if h.take(int64(len(body))) {
		got, err = in.accept(request{hold: h, Record: wal.Record{
			ReceivedAt: time.Now().UTC(), ClientIP: in.callerIP(ctx), ContentType: typeProto, Body: body,
		}})
	}
	if err != nil {
		r := asRefusal(err)
		if r.grpc == codes.Internal {
			in.log.Error("call not taken", "error", err)
		}
		in.metrics.request("grpc", int(r.grpc))
		return nil, r.status().Err()
	}
	res := ptraceotlp.NewExportResponse()
	got.into(res)
	answer, err := res.MarshalProto()
	if err != nil {
		return nil, fmt.Errorf("ingest: answer: %w", err)
	}
	in.metrics.request("grpc", int(codes.OK))
	return rawMessage(answer), nil
}

func (in *Ingester) callerIP(ctx context.Context) netip.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return netip.Addr{}
	}
	tcp, ok := p.Addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	return geo.ClientIP(tcp.AddrPort().Addr(), md.Get("x-forwarded-for"), in.cfg.TrustedProxies)
}

// rawMessage is a message that is not unmarshalled: the log keeps it as it is.
type rawMessage []byte

// rawCodec passes rawMessages through.
type rawCodec struct{}

var _ encoding.CodecV2 = rawCodec{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(rawMessage)
	if !ok {
		return nil, fmt.Errorf("ingest: cannot marshal %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(m)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*rawMessage)
	if !ok {
		return fmt.Errorf("ingest: cannot unmarshal into %T", v)
	}
	*m = data.Materialize() // a copy: data goes back to its pool
	return nil
}
