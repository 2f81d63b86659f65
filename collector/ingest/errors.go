package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// comeAgain is when a sender may try again after a refusal under pressure.
const comeAgain = 2 * time.Second

// refusal is why a request was not taken, in the terms of both protocols.
type refusal struct {
	http  int
	grpc  codes.Code
	retry time.Duration // zero: the same request will be refused again
	text  string
}

func (r *refusal) Error() string { return "ingest: " + r.text }

func refuse(httpCode int, grpcCode codes.Code, retry time.Duration, format string, args []any) error {
	text := strings.ToValidUTF8(fmt.Sprintf(format, args...), "\uFFFD") // it may quote a hostile body
	return &refusal{httpCode, grpcCode, retry, text}
}

// invalid: not OTLP, or broken on the way.
func invalid(format string, args ...any) error {
	return refuse(http.StatusBadRequest, codes.InvalidArgument, 0, format, args)
}

// unsupported: of a type or coding that is not understood.
func unsupported(format string, args ...any) error {
	return refuse(http.StatusUnsupportedMediaType, codes.InvalidArgument, 0, format, args)
}

// tooLarge: beyond a bound; smaller requests would be taken.
func tooLarge(format string, args ...any) error {
	return refuse(http.StatusRequestEntityTooLarge, codes.ResourceExhausted, 0, format, args)
}

// slow: the body did not come in time.
func slow(format string, args ...any) error {
	return refuse(http.StatusRequestTimeout, codes.DeadlineExceeded, comeAgain, format, args)
}

// busy: too much is on its way already.
func busy(format string, args ...any) error {
	return refuse(http.StatusServiceUnavailable, codes.ResourceExhausted, comeAgain, format, args)
}

// unavailable: the log does not take it now.
func unavailable(format string, args ...any) error {
	return refuse(http.StatusServiceUnavailable, codes.Unavailable, comeAgain, format, args)
}

// asRefusal is err as a refusal; one of another kind is a fault of ours, whose
// cause the sender is not told.
func asRefusal(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	return &refusal{http.StatusInternalServerError, codes.Internal, comeAgain, "internal error"}
}

// proto is the google.rpc.Status that OTLP/HTTP wants as the body of an error.
func (r *refusal) proto() *rpcstatus.Status { return r.status().Proto() }

// status carries RetryInfo where trying again makes sense, which for
// RESOURCE_EXHAUSTED is what tells OTLP clients so.
func (r *refusal) status() *status.Status {
	s := status.New(r.grpc, r.text)
	if r.retry == 0 {
		return s
	}
	if d, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(r.retry)}); err == nil {
		return d
	}
	return s
}

// maxMessage bounds a partial success's text, in bytes.
const maxMessage = 4 << 10

// joinMessages joins the reasons for partial success.
func joinMessages(messages []string) string {
	s := strings.Join(messages, "; ")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
