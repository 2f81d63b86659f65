package probes

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/bundle"
	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
)

// probe is what was played, without secrets.
func (rec *Recording) probe() bundle.Probe {
	text := rec.secrets.Text
	n := &rec.spec.Network
	network := bundle.Network{
		HTTP: n.HTTP, IPVersion: n.IPVersion, Resolver: n.Resolver, ConnectTo: n.ConnectTo,
		Insecure: n.Insecure, AllowPrivate: n.AllowPrivate, Headers: rec.cleanHeader(n.Header),
	}
	if n.Bind.IsValid() {
		network.Bind = n.Bind.String()
	}
	if n.ClientSubnet.IsValid() {
		network.ClientSubnet = n.ClientSubnet.String()
	}
	for _, a := range n.AllowAddresses {
		network.Allow = append(network.Allow, a.String())
	}
	p := bundle.ProbeOf(rec.spec.Target, rec.spec.CDN, rec.spec.App, network)
	t := &p.Target
	t.Name, t.URL, t.Labels = text(t.Name), text(t.URL), rec.cleanMap(t.Labels)
	t.Redact = slices.DeleteFunc(slices.Clone(t.Redact), isLiteral)
	if api := t.PlaybackAPI; api != nil {
		api.URL, api.Body, api.Headers = text(api.URL), text(api.Body), rec.cleanMap(api.Headers)
	}
	p.App.Headers, p.App.Query, p.App.UserAgent = rec.cleanMap(p.App.Headers), rec.cleanMap(p.App.Query), text(p.App.UserAgent)
	return p
}

// isLiteral tells whether a pattern is the secret that it matches itself.
func isLiteral(pattern string) bool {
	re, err := redact.Pattern(pattern)
	if err != nil {
		return false
	}
	_, all := re.LiteralPrefix()
	return all
}

// copyOf is a run of which nothing that [clean] writes to is the other's.
func copyOf(r run.Run) run.Run {
	r.Labels, r.Steps = maps.Clone(r.Labels), slices.Clone(r.Steps)
	for i := range r.Steps {
		s := &r.Steps[i]
		s.Connects, s.CNAMEs, s.Headers = slices.Clone(s.Connects), slices.Clone(s.CNAMEs), maps.Clone(s.Headers)
		for name, values := range s.Headers {
			s.Headers[name] = slices.Clone(values)
		}
	}
	return r
}

// cleanMap are values by name without secrets.
func (rec *Recording) cleanMap(m map[string]string) map[string]string {
	m = maps.Clone(m)
	for name, v := range m {
		if redact.Secret(name) {
			m[name] = redact.Mark
		} else {
			m[name] = rec.secrets.Text(v)
		}
	}
	return m
}

// cleanHeader are headers without secrets. Expires is none, in spite of its
// name: it is a date of caching here (RFC 9111, 5.3).
func (rec *Recording) cleanHeader(h map[string][]string) map[string][]string {
	clean := make(map[string][]string, len(h))
	for name, values := range h {
		values = slices.Clone(values)
		for i, v := range values {
			if redact.Secret(name) && !strings.EqualFold(name, "Expires") {
				values[i] = redact.Mark
			} else {
				values[i] = rec.secrets.Text(v)
			}
		}
		clean[name] = values
	}
	return clean
}

// cleanExchange takes what is secret out of all but the body.
func (rec *Recording) cleanExchange(e *bundle.Exchange) {
	text := rec.secrets.Text
	e.Request.URL, e.Location = text(e.Request.URL), text(e.Location)
	e.Request.Headers, e.Headers = rec.cleanHeader(e.Request.Headers), rec.cleanHeader(e.Headers)
	e.Names = slices.Clone(e.Names)
	for i := range e.Names {
		e.Names[i] = text(e.Names[i])
	}
	for i := range e.Attempts {
		e.Attempts[i].Error = text(e.Attempts[i].Error)
	}
	if e.Error != nil {
		e.Error.Detail = text(e.Error.Detail)
	}
}

// cleanText is a body of text without secrets; of one that is cut, up to its
// last whole line: a secret may stand where it is cut.
func (rec *Recording) cleanText(body []byte, cut bool) []byte {
	if cut {
		body = body[:bytes.LastIndexByte(body, '\n')+1]
	}
	if clean, ok := rec.cleanJSON(body); ok {
		return clean
	}
	return []byte(rec.secrets.Text(string(body)))
}

// cleanJSON is JSON without secrets, of the same form; not ok where it is none.
func (rec *Recording) cleanJSON(body []byte) ([]byte, bool) {
	if !isJSON(string(body[:min(len(body), 100)])) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(rec.cleanValue("", v, false)) != nil {
		return nil, false
	}
	return out.Bytes(), true
}

// cleanValue is a value of JSON without secrets; within says that it is a member
// of what is secret. What is secret by its name keeps its type. Of what is within
// addresses stay, which may be what is played, and short texts.
func (rec *Recording) cleanValue(name string, v any, within bool) any {
	secret := redact.Secret(name)
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			v[k] = rec.cleanValue(k, member, within || secret)
		}
	case []any:
		for i := range v {
			v[i] = rec.cleanValue(name, v[i], within)
		}
	case string:
		if secret && v != "" || within && len(v) >= redact.MinSecret && !strings.Contains(v, "://") {
			return redact.Mark
		}
		return rec.secrets.Text(v)
	case json.Number:
		if secret {
			return 0
		}
	}
	return v
}
