package fetch

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// maxIssuer bounds the name of an issuer in an error, in bytes.
const maxIssuer = 200

// whichCertificate adds to the error of a handshake what crypto/x509 leaves out:
// the authority that is not known, and of an end that has passed whose it is,
// where it is not the server's own. The dates and the names that a certificate
// holds for stand in the error already.
func whichCertificate(err error) error {
	var refused *tls.CertificateVerificationError
	if !errors.As(err, &refused) || len(refused.UnverifiedCertificates) == 0 {
		return err
	}
	sent := refused.UnverifiedCertificates
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		switch top := topOf(sent); {
		case bytes.Equal(top.RawIssuer, top.RawSubject):
			return fmt.Errorf("%w: %s, which signed itself", err, named(top.Issuer.String()))
		default:
			return fmt.Errorf("%w: %s, whose own certificate was not sent", err, named(top.Issuer.String()))
		}
	case errors.As(err, &invalid) && invalid.Cert != nil && !invalid.Cert.Equal(sent[0]):
		return fmt.Errorf("%w: that of %s, an issuer", err, named(invalid.Cert.Subject.String()))
	}
	return err
}

// topOf is the last of the certificates sent to which the first leads.
func topOf(sent []*x509.Certificate) *x509.Certificate {
	top := sent[0]
	for range sent {
		for _, c := range sent {
			if bytes.Equal(c.RawSubject, top.RawIssuer) && !c.Equal(top) && !bytes.Equal(top.RawIssuer, top.RawSubject) {
				top = c
				break
			}
		}
	}
	return top
}

// named is a name that a server has sent, safe to show.
func named(s string) string {
	if len(s) > maxIssuer {
		s = s[:maxIssuer]
	}
	return fmt.Sprintf("%q", s)
}
