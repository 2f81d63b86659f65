package probes

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/fetch"
	"github.com/firstframe/firstframe/probes/player"
	"github.com/firstframe/firstframe/probes/run"
)

// route is how a run's addresses are rewritten and what its requests say.
type route struct {
	scheme string
	target string            // with the app's query
	query  map[string]string // the app's
	hosts  []string          // that the CDN stands for; without a port of any
	user   *url.Userinfo     // of the target's address; nil: none
	origin string            // of the target, through the CDN
	cdn    run.CDN
	mode   string // of CMCD: header, query, off; empty: only the session, in a header
	header http.Header
}

func newRoute(spec Spec) (*route, error) {
	u, err := url.Parse(spec.Target.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("target %q: want an absolute http or https URL", spec.Target.URL)
	}
	v := &route{
		scheme: u.Scheme, cdn: spec.CDN, query: spec.App.Query, hosts: append([]string{u.Host}, spec.CDN.Hosts...),
		mode: spec.App.CMCD, header: http.Header{}, user: u.User, origin: u.Scheme + "://" + u.Host,
	}
	if v.cdn.Host != "" {
		v.origin = u.Scheme + "://" + withHost(u, v.cdn.Host)
	}
	maps.Copy(v.header, spec.Network.Header)
	for k, value := range spec.App.Headers {
		v.header.Set(k, value)
	}
	if v.mode != "" && v.mode != "header" && v.mode != "query" && v.mode != "off" {
		return nil, fmt.Errorf("cmcd %q: want header, query or off", spec.App.CMCD)
	}
	u.RawQuery = withQuery(u.RawQuery, spec.App.Query)
	v.target = u.String()
	return v, nil
}

// withQuery is a URL's query with more parameters, in the order of their names,
// in place of those of the same name. The others stay as they are, byte for
// byte: they may be signed.
func withQuery(query string, more map[string]string) string {
	if len(more) == 0 {
		return query
	}
	var args []string
	for arg := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(arg, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if _, replaced := more[name]; arg != "" && !replaced {
			args = append(args, arg)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		args = append(args, url.QueryEscape(name)+"="+url.QueryEscape(more[name]))
	}
	return strings.Join(args, "&")
}

// identify makes every request say which run it is of, so that a CDN's log and
// a trace join (CTA-5004, key sid). Unless the app says how its player does that,
// it is a header of ours, which costs no player anything. What the player tells
// is the answer.
func (v *route) identify(runID, content string) player.CMCD {
	switch v.mode {
	case "":
		v.header.Set("CMCD-Session", fmt.Sprintf("sid=%q", runID))
	case "header", "query":
		return player.CMCD{In: v.mode, SID: runID, CID: content}
	}
	return player.CMCD{}
}

// manifest is the address to press play on.
func (v *route) manifest() string { return v.rewrite(v.target) }

// through is the manifest's address as a service's own interface gives it, with
// the app's query. Where a CDN is to be asked it has to stand for its host:
// else the run would be another's.
func (v *route) through(manifest string) (string, error) {
	u, err := url.Parse(manifest)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", errors.New("want an absolute http or https URL")
	}
	stands := slices.ContainsFunc(v.hosts, func(h string) bool { return sameHost(h, u) }) || sameHost(v.cdn.Host, u)
	if (v.cdn.Host != "" || v.cdn.ConnectTo != "") && !stands {
		return "", fmt.Errorf("CDN %s does not stand for host %s: neither the target's URL nor the CDN's hosts name it", v.cdn.Name, u.Host)
	}
	if len(v.query) == 0 {
		return manifest, nil // whose spelling may be signed
	}
	u.RawQuery = withQuery(u.RawQuery, v.query)
	return u.String(), nil
}

// rewrite is the address to ask in place of one that the target, a manifest or
// a redirect names: through the CDN where its host is the CDN's to serve, and with
// the user of the target's address where it is of the same origin. What it has
// rewritten it leaves as it is.
func (v *route) rewrite(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if v.cdn.Host != "" && slices.ContainsFunc(v.hosts, func(h string) bool { return sameHost(h, u) }) {
		u.Host = withHost(u, v.cdn.Host)
		address = u.String()
	} // else its spelling may be signed
	if v.user != nil && u.User == nil && fetch.SameOrigin(v.origin, address) {
		scheme, rest, _ := strings.Cut(address, "://")
		address = scheme + "://" + v.user.String() + "@" + rest
	}
	return address
}

// servers are scheme and host of those that the run is known to ask, the
// manifest's first.
func (v *route) servers() []*url.URL {
	var all []*url.URL
	for _, h := range v.hosts {
		u := &url.URL{Scheme: v.scheme, Host: h}
		if v.cdn.Host != "" {
			u.Host = withHost(u, v.cdn.Host)
		}
		if !slices.ContainsFunc(all, func(o *url.URL) bool { return o.Host == u.Host }) {
			all = append(all, u)
		}
	}
	return all
}

// sameHost tells whether host is u's; without a port on any port.
func sameHost(host string, u *url.URL) bool {
	want := &url.URL{Scheme: u.Scheme, Host: host}
	return strings.EqualFold(want.Hostname(), u.Hostname()) && (want.Port() == "" || portOf(want) == portOf(u))
}

// portOf is u's port, by its scheme where it names none.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// withHost is what host makes of u's host and port: its own port goes first.
func withHost(u *url.URL, host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil || u.Port() == "" {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), u.Port())
}
