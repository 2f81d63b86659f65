package probes

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
)

// secretsOf is what must not be read in a run of the spec: what the target's
// patterns match, and what secret headers and parameters of the app and of the
// network hold. It is never nil.
func secretsOf(spec Spec) (*redact.Redactor, error) {
	r, err := redact.New(spec.Target.Redact...)
	if err != nil {
		return &redact.Redactor{}, fmt.Errorf("target %q: %w", redact.Text(spec.Target.Name), err)
	}
	if u, err := url.Parse(spec.Target.URL); err == nil && u.User != nil {
		keepUser(r, u.User)
	}
	keepSecrets(r, spec.Network.Header)
	for name, v := range spec.App.Headers {
		keepSecret(r, name, v)
	}
	for name, v := range spec.App.Query {
		keepSecret(r, name, v)
	}
	return r, nil
}

// keepUser makes r know the password of an address, or the name that stands without
// one, and the credentials that are sent of them (RFC 7617).
func keepUser(r *redact.Redactor, u *url.Userinfo) {
	password, ok := u.Password()
	if ok {
		r.Know(password)
	} else {
		r.Know(u.Username())
	}
	r.Know(base64.StdEncoding.EncodeToString([]byte(u.Username() + ":" + password)))
}

// keepSecrets makes r know the values of headers or parameters that are secret by
// their names.
func keepSecrets(r *redact.Redactor, all map[string][]string) {
	for name, values := range all {
		for _, v := range values {
			keepSecret(r, name, v)
		}
	}
}

// keepParameters is keepSecrets for parameters of a URL, but for numbers: they
// may be times, which stand elsewhere, too.
func keepParameters(r *redact.Redactor, query url.Values) {
	for name, values := range query {
		for _, v := range values {
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				keepSecret(r, name, v)
			}
		}
	}
}

// keepSecret makes r know the value of a header or parameter that is secret by
// its name, or looks drawn at random: whole, and without the scheme that stands
// before credentials (RFC 9110, 11.4).
func keepSecret(r *redact.Redactor, name, value string) {
	if !redact.Secret(name) && !redact.Random(value) {
		return
	}
	r.Know(value)
	if _, credentials, ok := strings.Cut(value, " "); ok {
		r.Know(credentials)
	}
}

// clean takes what is secret out of every text of the run. Nobody has seen it
// before.
func clean(r *run.Run, secrets *redact.Redactor) {
	for i := range run.Fields {
		if p, ok := run.Fields[i].Ptr(r).(*string); ok {
			*p = secrets.Text(*p)
		}
	}
	for k, v := range r.Labels {
		r.Labels[k] = secrets.Text(v)
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		s.URL, s.Detail = secrets.Text(s.URL), secrets.Text(s.Detail)
		for k := range s.Connects {
			s.Connects[k] = secrets.Text(s.Connects[k])
		}
		for k := range s.CNAMEs {
			s.CNAMEs[k] = secrets.Text(s.CNAMEs[k])
		}
		for name, values := range s.Headers {
			for k := range values {
				if redact.Secret(name) {
					values[k] = redact.Mark
				}
				values[k] = secrets.Text(values[k])
			}
		}
	}
}
