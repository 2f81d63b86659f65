package plan

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/firstframe/firstframe/probes/redact"
	"github.com/firstframe/firstframe/probes/run"
	"github.com/goccy/go-yaml/ast"
)

// plan reads the outermost mapping.
func (d *decoder) plan(p *Plan, root ast.Node) {
	o := d.object(root, "plan", "version", "cdns", "apps", "targets", "control", "allow_addresses", "assignments")
	d.version(o)
	names := unique{}
	for _, n := range o.list("cdns", MaxCDNs) {
		p.CDNs = append(p.CDNs, d.cdn(n, names))
	}
	names = unique{}
	for _, n := range o.list("apps", MaxApps) {
		p.Apps = append(p.Apps, d.app(n, names))
	}
	names = unique{}
	o.need("targets")
	jobs := 0
	for _, n := range o.list("targets", MaxTargets) {
		t := d.target(n, p, names)
		p.Targets = append(p.Targets, t)
		if before := jobs; before <= MaxJobs {
			if jobs += len(t.CDNs) * len(t.Apps); jobs > MaxJobs {
				d.errorf(position(n), "more than %d combinations of target, CDN and app up to here", MaxJobs)
			}
		}
	}
	if o.get("targets") != nil && len(p.Targets) == 0 {
		d.errorf(position(o.get("targets")), "targets: want at least one")
	}
	for _, n := range o.list("control", MaxControls) {
		p.Control = append(p.Control, d.control(n, names))
	}
	for _, n := range o.list("allow_addresses", MaxAddresses) {
		p.AllowAddresses = append(p.AllowAddresses, d.prefix(n))
	}
	d.assign(p, o)
}

func (d *decoder) prefix(n ast.Node) (p netip.Prefix) {
	d.text(n, "allow_addresses", func(s string) (err error) {
		p, err = prefix(s)
		return err
	})
	return p
}

func (d *decoder) version(o *object) {
	n := o.get("version")
	if o.need("version"); n == nil {
		return
	}
	if i, ok := n.(*ast.IntegerNode); !ok || i.Token.Value != "1" {
		d.errorf(position(n), "version: want 1, the one that this program reads")
	}
}

func (d *decoder) cdn(n ast.Node, names unique) run.CDN {
	o := d.object(n, "CDN", "name", "host", "connect_to", "hosts")
	c := run.CDN{
		Name:      o.required("name", name),
		Host:      o.text("host", host),
		ConnectTo: o.text("connect_to", dialTo),
		Hosts:     o.texts("hosts", host),
	}
	names.add(d, "CDN", c.Name, o.at)
	return c
}

func (d *decoder) app(n ast.Node, names unique) run.App {
	o := d.object(n, "app", "name", "version", "player", "user_agent", "headers", "query", "codecs",
		"max_height", "http", "alt_svc", "cmcd", "set")
	a := run.App{
		Name:      o.required("name", name),
		Version:   o.text("version", name),
		Player:    o.text("player", d.player),
		UserAgent: o.text("user_agent", headerValue),
		Headers:   o.dictionary("headers", maxList, headerName, headerValue),
		Query:     o.dictionary("query", maxList, anyText, anyText),
		Codecs:    o.texts("codecs", name),
		MaxHeight: o.integer("max_height", 16, 100_000),
		HTTP:      o.oneOf("http", "1.1", "2", "3"),
		AltSvc:    o.oneOf("alt_svc", "first", "known", "off"),
		CMCD:      o.oneOf("cmcd", "header", "query", "off"),
		Set:       d.set(o),
	}
	names.add(d, "app", appName(a), o.at)
	return a
}

// appName is how an app is referred to: NAME@VERSION, or NAME without one.
func appName(a run.App) string {
	if a.Version == "" || a.Name == "" {
		return a.Name
	}
	return a.Name + "@" + a.Version
}

func (d *decoder) player(s string) error {
	if d.options.CheckPlayer == nil {
		return nil
	}
	err := d.options.CheckPlayer(s)
	if err == nil {
		return nil
	}
	base, _, _ := strings.Cut(s, "@")
	if slices.Contains(d.options.Players, base) {
		return err // it is the version, and the error says so
	}
	return fmt.Errorf("no such player%s", d.suggest(base, d.options.Players))
}

// set reads the parameters of the player that an app overrides.
func (d *decoder) set(o *object) map[string]float64 {
	n := o.get("set")
	if n == nil {
		return nil
	}
	set := map[string]float64{}
	for _, e := range d.entries(n, "set") {
		if d.options.Params != nil && !slices.Contains(d.options.Params, e.key) {
			d.errorf(e.at, "unknown key %q%s (set)", clip(e.key), d.suggest(e.key, d.options.Params))
			continue
		}
		v, ok := number(e.value)
		if !ok {
			d.errorf(position(e.value), "set.%s: want a number, not negative", clip(e.key))
			continue
		}
		set[e.key] = v
	}
	return set
}

func (d *decoder) target(n ast.Node, p *Plan, names unique) Target {
	o := d.object(n, "target", "name", "url", "cdns", "apps", "interval", "threshold", "timeout", "play", "connection", "labels", "redact", "playback_api")
	t := Target{Target: run.Target{
		Name:       o.required("name", name),
		URL:        o.required("url", address),
		Interval:   orDefault(o.duration("interval", MinInterval, MaxInterval), run.DefaultInterval),
		Threshold:  orDefault(o.duration("threshold", time.Millisecond, MaxTimeout), run.DefaultThreshold),
		Timeout:    orDefault(o.duration("timeout", MinTimeout, MaxTimeout), run.DefaultTimeout),
		Play:       o.duration("play", time.Millisecond, run.MaxPlay),
		Connection: o.oneOf("connection", "cold", "warm"),
		Labels:     o.dictionary("labels", run.MaxLabels, name, anyText),
		Redact:     d.patterns(o),

		PlaybackAPI: d.playbackAPI(o),
	}}
	if t.Threshold > t.Timeout {
		d.errorf(o.at, "target %q: its threshold %s is longer than its timeout %s", t.Name, short(t.Threshold), short(t.Timeout))
	}
	names.add(d, "target", t.Name, o.at)
	t.CDNs = refer(o, "cdns", p.CDNs, func(c run.CDN, ref string) bool { return match(ref, c.Name) }, func(c run.CDN) string { return c.Name })
	t.Apps = refer(o, "apps", p.Apps, isApp, appName)
	// The runs of a round follow one another.
	if runs := len(t.CDNs) * len(t.Apps); time.Duration(runs)*t.Play >= t.Interval {
		d.errorf(o.at, "target %q: %d runs that play on for %s each do not fit into its interval %s", t.Name, runs, short(t.Play), short(t.Interval))
	}
	return t
}

// patterns reads the expressions for what is secret in a target's URLs.
func (d *decoder) patterns(o *object) []string {
	all := o.texts("redact", func(s string) error {
		_, err := redact.Pattern(s)
		return err
	})
	if len(all) > redact.MaxPatterns {
		d.errorf(position(o.get("redact")), "redact: %d entries, at most %d", len(all), redact.MaxPatterns)
	}
	return all
}

// isApp tells whether an app is one that a reference means: NAME means every
// version.
func isApp(a run.App, ref string) bool { return match(ref, appName(a)) || match(ref, a.Name) }

func match(pattern, name string) bool {
	ok, _ := path.Match(pattern, name) // the pattern was checked when it was read
	return ok
}

// refer are the things that the references under a key mean, in the order of
// the plan: all when it is left out, and the zero thing when there are none.
func refer[T any](o *object, key string, all []T, is func(T, string) bool, nameOf func(T) string) []T {
	if o.get(key) == nil {
		if len(all) == 0 {
			return make([]T, 1)
		}
		return all
	}
	meant := make([]bool, len(all))
	for _, n := range o.list(key, maxList) {
		ref := o.d.text(n, key, pattern)
		found := ref == ""
		for i := range all {
			if ref != "" && is(all[i], ref) {
				meant[i], found = true, true
			}
		}
		if !found && !(ref == "*" && len(all) == 0) {
			names := make([]string, len(all))
			for i := range all {
				names[i] = nameOf(all[i])
			}
			o.d.errorf(position(n), "%s: %q is none of the plan's%s", key, clip(ref), o.d.suggest(ref, slices.Compact(names)))
		}
	}
	if len(all) == 0 {
		return make([]T, 1)
	}
	var found []T
	for i := range all {
		if meant[i] {
			found = append(found, all[i])
		}
	}
	return found
}

func (d *decoder) control(n ast.Node, names unique) run.Target {
	o := d.object(n, "control", "name", "url", "interval", "timeout")
	t := run.Target{
		Name:     o.required("name", name),
		URL:      o.required("url", address),
		Interval: orDefault(o.duration("interval", MinInterval, MaxInterval), run.DefaultInterval),
		Timeout:  orDefault(o.duration("timeout", MinTimeout, MaxTimeout), run.DefaultTimeout),
	}
	names.add(d, "target", t.Name, o.at)
	return t
}

func orDefault(v, otherwise time.Duration) time.Duration {
	if v == 0 {
		return otherwise
	}
	return v
}
