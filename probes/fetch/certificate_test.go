package fetch_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/run"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// sign makes a certificate that by signs: nil signs itself.
func sign(t *testing.T, by *authority, name string, until time.Time, ca bool, hosts ...string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: ca, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	a := &authority{template, key}
	if by == nil {
		by = a
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// shake serves TLS and HTTP/3 on one port with the chain.
func shake(t *testing.T, chain ...*authority) (address string) {
	t.Helper()
	cert := tls.Certificate{PrivateKey: chain[0].key}
	for _, a := range chain {
		cert.Certificate = append(cert.Certificate, a.cert.Raw)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{}, 2)
	go func() { plain.Serve(ln); done <- struct{}{} }()
	udp, err := net.ListenPacket("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h3 := &http3.Server{Handler: http.NotFoundHandler(), TLSConfig: http3.ConfigureTLSConfig(config)}
	go func() { h3.Serve(udp); done <- struct{}{} }()
	t.Cleanup(func() {
		plain.Close()
		h3.Close()
		udp.Close()
		<-done
		<-done
	})
	return ln.Addr().String()
}

// A certificate that is refused is told: until when it was good, for which names
// it is, or who signed it.
func TestCertificateRefused(t *testing.T) {
	soon := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	past := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	root := sign(t, nil, "Trusted Root", soon, true)
	roots := x509.NewCertPool()
	roots.AddCert(root.cert)
	middle := sign(t, root, "Middle", soon, true)
	old := sign(t, root, "Old Middle", past, true)
	stranger := sign(t, nil, "Strange Root", soon, true)
	for _, tt := range []struct {
		name  string
		chain []*authority
		until time.Time
		want  []string
	}{
		{"expired", []*authority{sign(t, root, "leaf", past, false, "127.0.0.1")}, past, []string{"expired", "is after 2026-01-02T03:04:05Z"}},
		{"an issuer's expired", []*authority{sign(t, old, "leaf", soon, false, "127.0.0.1"), old}, soon, []string{"is after 2026-01-02T03:04:05Z", `"CN=Old Middle"`}},
		{"for other names", []*authority{sign(t, root, "leaf", soon, false, "a.example", "*.b.example")}, soon, []string{"valid for a.example, *.b.example, not c.example"}},
		{"an authority not known", []*authority{sign(t, stranger, "leaf", soon, false, "127.0.0.1")}, soon, []string{"unknown authority", `"CN=Strange Root", whose own certificate was not sent`}},
		{"an authority not known, which came along", []*authority{sign(t, stranger, "leaf", soon, false, "127.0.0.1"), stranger}, soon, []string{`"CN=Strange Root", which signed itself`}},
		{"the chain is not whole", []*authority{sign(t, middle, "leaf", soon, false, "127.0.0.1")}, soon, []string{`"CN=Middle", whose own certificate was not sent`}},
		{"signed by itself, with a hostile name", []*authority{sign(t, nil, "a\x1b[31m", soon, false, "127.0.0.1")}, soon, []string{`"CN=a\x1b[31m", which signed itself`}},
	} {
		for _, version := range []string{"", "3"} {
			t.Run(tt.name+" "+version, func(t *testing.T) {
				address := shake(t, tt.chain...)
				cfg := fetch.Config{AllowAddresses: loopback, RootCAs: roots, HTTP: version}
				url := "https://" + address
				if tt.name == "for other names" {
					url = "https://c.example"
					cfg.ConnectTo = map[string]string{"c.example": address}
				}
				x := open(t, cfg).Do(t.Context(), fetch.Request{URL: url})
				if x.Err == nil || x.Err.Type != run.ErrTLS || !x.TLSExpires.Equal(tt.until) || !x.Remote.IsValid() {
					t.Fatalf("%v, of %s until %s, want %s", x.Err, x.Remote, x.TLSExpires, tt.until)
				}
				for _, want := range tt.want {
					if !strings.Contains(x.Err.Detail, want) {
						t.Errorf("%q does not say %q", x.Err.Detail, want)
					}
				}
			})
		}
	}
}
