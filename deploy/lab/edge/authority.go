package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Authority is a certificate authority that lives as long as its lab, and the
// certificates that edges show.
type Authority struct {
	PEM []byte // its own certificate, for those who shall trust it

	valid, expired *tls.Config
}

// NewAuthority makes an authority, with certificates for every name right
// below domain: one for thirty days, and one that ended yesterday.
func NewAuthority(domain string) (*Authority, error) {
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("edge: authority: %w", err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Firstframe lab CA"},
		NotBefore: now.AddDate(0, 0, -60), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("edge: authority: %w", err)
	}
	a := &Authority{PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if a.valid, err = leaf(root, key, domain, 2, now.AddDate(0, 0, -1), now.AddDate(0, 0, 30)); err != nil {
		return nil, err
	}
	a.expired, err = leaf(root, key, domain, 3, now.AddDate(0, 0, -31), now.AddDate(0, 0, -1))
	return a, err
}

func leaf(root *x509.Certificate, rootKey *ecdsa.PrivateKey, domain string, serial int64, from, until time.Time) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("edge: certificate: %w", err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "*." + domain}, DNSNames: []string{"*." + domain},
		NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, root, &key.PublicKey, rootKey)
	if err != nil {
		return nil, fmt.Errorf("edge: certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}, nil
}
