// Package deploy_test holds compose.yaml and what Grafana is provisioned with
// against the tree: no container engine is needed. What compose would start is
// started, by the same command lines.
package deploy_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const root = ".." // of the repository

// composeFile has those keys of compose that ours uses; others are refused.
type composeFile struct {
	Name     string
	Services map[string]service
	Volumes  map[string]*struct{}
}

type service struct {
	Image       string
	Build       struct{ Context, Target string }
	Command     []string
	Restart     string
	StopGrace   string `yaml:"stop_grace_period"`
	Networks    map[string]struct{ Aliases []string }
	NetworkMode string                `yaml:"network_mode"`
	DependsOn   map[string]dependency `yaml:"depends_on"`
	Ports       []string
	Environment map[string]string
	Volumes     []string
	Healthcheck health
}

type dependency struct {
	Condition string
	Restart   bool
}

type health struct {
	Test          []string
	StartPeriod   string `yaml:"start_period"`
	StartInterval string `yaml:"start_interval"`
	Interval      string
}

func readYAML(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(text, to, yaml.Strict()); err != nil {
		t.Fatalf("%s:\n%v", path, err)
	}
}

func compose(t *testing.T) composeFile {
	t.Helper()
	var c composeFile
	readYAML(t, "compose.yaml", &c)
	return c
}

// mount is where a path of a container comes from.
func (s service) mount(path string) (source string, ok bool) {
	longest := ""
	for _, v := range s.Volumes {
		parts := strings.Split(v, ":")
		rest, below := strings.CutPrefix(path, parts[1])
		if below && (rest == "" || rest[0] == '/') && len(parts[1]) > len(longest) {
			longest, source, ok = parts[1], filepath.Join(parts[0], rest), true
		}
	}
	return source, ok
}

// network is the service that has the addresses of a service.
func (c composeFile) network(name string) string {
	if other, ok := strings.CutPrefix(c.Services[name].NetworkMode, "service:"); ok {
		return other
	}
	return name
}

func TestCompose(t *testing.T) {
	c := compose(t)
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		if s.Image == "" && !regexp.MustCompile(`(?m)^FROM \S+ AS `+s.Build.Target+`$`).Match(dockerfile) {
			t.Errorf("%s: the Dockerfile has no target %q", name, s.Build.Target)
		}
		if s.Image == "" && filepath.Clean(s.Build.Context) != root {
			t.Errorf("%s: is built from %s", name, s.Build.Context)
		}
		for other, d := range s.DependsOn {
			if d.Condition != "service_healthy" || len(c.Services[other].Healthcheck.Test) == 0 {
				t.Errorf("%s: waits for %s to be %q, which has the health check %q", name, other, d.Condition, c.Services[other].Healthcheck.Test)
			}
		}
		for _, v := range s.Volumes {
			c.checkVolume(t, name, v)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: %s is published for all to reach, although nobody is asked who they are", name, p)
			}
		}
		checkHealth(t, name, s)
	}
}

// checkVolume says whether what is mounted is there: as a volume that is
// declared, as a file of the tree, or as what make plugin builds.
func (c composeFile) checkVolume(t *testing.T, name, volume string) {
	source := strings.Split(volume, ":")[0]
	if _, declared := c.Volumes[source]; declared {
		return
	}
	if !strings.HasPrefix(source, ".") {
		t.Errorf("%s: the volume %s is not declared", name, source)
		return
	}
	if source == "../"+built(t) {
		return
	}
	if _, err := os.Stat(source); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if !strings.HasSuffix(volume, ":ro") {
		t.Errorf("%s: %s could be written to", name, source)
	}
}

// built is the folder that make plugin builds.
func built(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^PLUGIN = (\S+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatal("the Makefile does not say where it builds the plugin")
	}
	return string(found[1])
}

// checkHealth holds the port of a health check against those that the service
// listens at by its command line, or that Grafana does.
func checkHealth(t *testing.T, name string, s service) {
	asked, err := url.Parse(s.Healthcheck.Test[len(s.Healthcheck.Test)-1])
	if err != nil || asked.Hostname() != "127.0.0.1" {
		t.Fatalf("%s: health is asked for by %q", name, s.Healthcheck.Test)
	}
	if strings.HasPrefix(s.Image, "grafana/") {
		if asked.Port() != "3000" {
			t.Errorf("%s listens at 3000, its health check asks %s", name, asked.Port())
		}
		return
	}
	if !strings.Contains(strings.Join(s.Command, " "), "0.0.0.0:"+asked.Port()) {
		t.Errorf("%s: its health check asks port %s, at which %q does not listen", name, asked.Port(), s.Command)
	}
}

// datasources and providers are Grafana's provisioning files, as far as ours go.
type datasources struct {
	Version int `yaml:"apiVersion"`
	Sources []struct {
		Name, UID, Type, Access, URL string
		Default                      bool              `yaml:"isDefault"`
		Editable                     bool              `yaml:"editable"`
		Secrets                      map[string]string `yaml:"secureJsonData"`
	} `yaml:"datasources"`
}

type providers struct {
	Version   int `yaml:"apiVersion"`
	Providers []struct {
		Name, Folder, Type string
		FolderUID          string `yaml:"folderUid"`
		UpdatesInUI        bool   `yaml:"allowUiUpdates"`
		KeepDeleted        bool   `yaml:"disableDeletion"`
		Interval           int    `yaml:"updateIntervalSeconds"`
		Options            struct{ Path string }
	}
}

const provisioning = "grafana/provisioning"

// value is what a provisioning file's $NAME stands for in compose.
func value(t *testing.T, grafana service, text string) string {
	t.Helper()
	v, ok := grafana.Environment[strings.TrimPrefix(text, "$")]
	if !strings.HasPrefix(text, "$") || !ok {
		t.Errorf("%q is no variable that compose sets", text)
	}
	return v
}

func TestDatasource(t *testing.T) {
	c := compose(t)
	grafana := c.Services["grafana"]
	var d datasources
	readYAML(t, filepath.Join(provisioning, "datasources/firstframe.yaml"), &d)
	if d.Version != 1 || len(d.Sources) != 1 {
		t.Fatalf("%+v", d)
	}
	var plugin struct{ ID, Type string } // JSON is YAML
	text, err := os.ReadFile(filepath.Join(root, "dashboards/datasource/src/plugin.json"))
	if err == nil {
		err = yaml.Unmarshal(text, &plugin)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := d.Sources[0]
	if s.Type != plugin.ID || plugin.Type != "datasource" || s.Access != "proxy" {
		t.Errorf("the data source is of type %s by %s, the plugin is %+v", s.Type, s.Access, plugin)
	}
	if got := grafana.Environment["GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS"]; got != plugin.ID {
		t.Errorf("Grafana may load %q, the plugin is %q", got, plugin.ID)
	}
	if source, _ := grafana.mount("/var/lib/grafana/plugins/" + plugin.ID); source != "../"+built(t) {
		t.Errorf("the plugin is mounted from %q", source)
	}
	value(t, grafana, s.Secrets["token"])
	u, err := url.Parse(value(t, grafana, s.URL))
	if err != nil {
		t.Fatal(err)
	}
	at := c.Services[c.network("collector")]
	if !slices.Contains(at.Networks["default"].Aliases, u.Hostname()) {
		t.Errorf("nobody is called %s in Grafana's network", u.Hostname())
	}
	if want := "--http=0.0.0.0:" + u.Port(); !slices.Contains(c.Services["collector"].Command, want) {
		t.Errorf("the data source is %s, the collector is not run with %s", u, want)
	}
	for _, used := range uids(t) {
		if used != s.UID {
			t.Errorf("dashboards and rules ask the data source %q, which is %q here", used, s.UID)
		}
	}
}

// uids are those by which dashboards and rules name a data source, without
// Grafana's own.
func uids(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"dashboards/json/*.json", "dashboards/alerting/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: nothing there (%v)", pattern, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?:datasourceUid"?:|"datasource": *\{[^}]*"uid":) *"?([^"\s]+)`).FindAllSubmatch(text, -1) {
				if uid := string(m[1]); uid != "__expr__" && !strings.HasPrefix(uid, "-") && !strings.HasPrefix(uid, "$") {
					found = append(found, uid)
				}
			}
		}
	}
	return found
}

func TestDashboards(t *testing.T) {
	grafana := compose(t).Services["grafana"]
	var p providers
	readYAML(t, filepath.Join(provisioning, "dashboards/firstframe.yaml"), &p)
	if p.Version != 1 || len(p.Providers) != 1 || p.Providers[0].Type != "file" {
		t.Fatalf("%+v", p)
	}
	for path, want := range map[string]string{
		value(t, grafana, p.Providers[0].Options.Path):                   "../dashboards/json",
		grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]: "../dashboards/json/firstframe-now.json",
		"/etc/grafana/provisioning/datasources":                          provisioning + "/datasources",
		"/etc/grafana/provisioning/dashboards":                           provisioning + "/dashboards",
		"/etc/grafana/provisioning/alerting":                             "../dashboards/alerting",
	} {
		if source, _ := grafana.mount(path); filepath.Clean(source) != want {
			t.Errorf("%s is mounted from %q, want %s", path, source, want)
		}
	}
}

// Grafana takes what it does not know in the environment for nothing.
func TestVariables(t *testing.T) {
	set := compose(t).Services["grafana"].Environment
	var files []string
	for _, pattern := range []string{provisioning + "/*/*.yaml", root + "/dashboards/alerting/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\$\{?(FIRSTFRAME_\w+)`).FindAllSubmatch(text, -1) {
			name := string(m[1])
			if _, ok := set[name]; !ok || !strings.Contains(string(readme), fmt.Sprintf("`%s`", name)) {
				t.Errorf("%s: %s is not set in compose.yaml or not told in README.md", f, name)
			}
		}
	}
}
