package ingest

import (
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/firstframe/firstframe/collector/geo"
	"github.com/firstframe/firstframe/collector/wal"
)

// ServeHTTP answers POST /v1/traces by OTLP/HTTP. The server around it bounds
// the time that a body may take.
func (in *Ingester) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	contentType := typeProto
	res, err := in.serve(r, &contentType)
	if err != nil {
		in.refuseHTTP(w, contentType, err)
		return
	}
	var body []byte
	if contentType == typeJSON {
		body, err = res.MarshalJSON()
	} else {
		body, err = res.MarshalProto()
	}
	if err != nil {
		in.refuseHTTP(w, contentType, err)
		return
	}
	in.metrics.request("http", http.StatusOK)
	send(w, http.StatusOK, contentType, body)
}

// serve takes the request, and sets contentType to its own once it is known.
func (in *Ingester) serve(r *http.Request, contentType *string) (res ptraceotlp.ExportResponse, err error) {
	res = ptraceotlp.NewExportResponse()
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != typeProto && kind != typeJSON {
		return res, unsupported("Content-Type %.60q is not understood; there are %s and %s",
			r.Header.Get("Content-Type"), typeProto, typeJSON)
	}
	*contentType = kind
	encoding, err := coding(r.Header.Get("Content-Encoding"))
	if err != nil {
		return res, err
	}
	h := &hold{of: &in.budget}
	defer h.release()
	body, err := in.readBody(r, h)
	if err != nil {
		return res, err
	}
	got, err := in.accept(request{hold: h, Record: wal.Record{
		ReceivedAt: time.Now().UTC(), ClientIP: in.clientIP(r), Encoding: encoding, ContentType: kind, Body: body,
	}})
	if err != nil {
		return res, err
	}
	got.into(res)
	return res, nil
}

// coding is the content coding, checked before a body is read for nothing.
func coding(header string) (string, error) {
	switch c := strings.ToLower(strings.TrimSpace(header)); c {
	case "", "identity":
		return "", nil
	case codingGzip, codingZstd:
		return c, nil
	}
	return "", unsupported("Content-Encoding %.40q is not understood; there are gzip, zstd and identity", header)
}

func (in *Ingester) clientIP(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return geo.ClientIP(peer.Addr(), r.Header.Values("X-Forwarded-For"), in.cfg.TrustedProxies)
}

func (p reply) into(res ptraceotlp.ExportResponse) {
	if p.rejected > 0 || p.message != "" {
		res.PartialSuccess().SetRejectedSpans(p.rejected)
		res.PartialSuccess().SetErrorMessage(p.message)
	}
}

func (in *Ingester) refuseHTTP(w http.ResponseWriter, contentType string, err error) {
	r := asRefusal(err)
	if r.http == http.StatusInternalServerError {
		in.log.Error("request not taken", "error", err)
	}
	in.metrics.request("http", r.http)
	if r.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(r.retry.Seconds())))
	}
	if r.http == http.StatusUnsupportedMediaType {
		w.Header().Set("Accept", typeProto+", "+typeJSON)
		w.Header().Set("Accept-Encoding", codingGzip+", "+codingZstd)
	}
	var body []byte
	if contentType == typeJSON {
		body, err = protojson.Marshal(r.proto())
	} else {
		body, err = proto.Marshal(r.proto())
	}
	if err != nil {
		in.log.Error("answer not written", "error", err)
	}
	send(w, r.http, contentType, body)
}

func send(w http.ResponseWriter, code int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	w.Write(body) // a sender that has gone sends again
}
