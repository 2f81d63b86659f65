package main

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

func checkHealth(t *testing.T, p running, at *pluginv2.PluginContext, status int32, text string) {
	t.Helper()
	res, err := p.Health.CheckHealth(t.Context(), &pluginv2.CheckHealthRequest{PluginContext: at})
	if err != nil {
		t.Fatal(err)
	}
	if int32(res.Status) != status || !strings.Contains(res.Message, text) {
		t.Errorf("%v %q, want %d %q", res.Status, res.Message, status, text)
	}
}

func TestHealth(t *testing.T) {
	const ok, bad = int32(pluginv2.CheckHealthResponse_OK), int32(pluginv2.CheckHealthResponse_ERROR)
	full, _ := collector(t, testRuns()...)
	empty, _ := collector(t)
	guarded := behind(t, full, "sesame")
	ca := map[string]string{"tlsCACert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: guarded.Certificate().Raw}))}
	with := func(token string) map[string]string {
		return map[string]string{"tlsCACert": ca["tlsCACert"], "token": token}
	}
	pinned := map[string]any{"tlsAuthWithCACert": true}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved/readyz":
			http.Redirect(w, r, "https://elsewhere.example/readyz", http.StatusFound)
		case "/starting/readyz":
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"ready":false,"reasons":["replaying the log"]}`))
		case "/starting/api/v1/query":
			w.Write([]byte(`{"columns":[{"name":"runs"},{"name":"agents"}],"rows":[[2,1]]}`))
		case "/proxy/readyz":
			http.Error(w, "bad gateway", http.StatusBadGateway)
		default:
			w.Write([]byte("<html>hello</html>"))
		}
	}))
	defer web.Close()
	p := start(t)
	for _, c := range []struct {
		name, url string
		options   map[string]any
		secrets   map[string]string
		status    int32
		want      string
	}{
		{"runs", full, nil, nil, ok, "The collector answers: 5 runs of 3 agents in the last 24 hours."},
		{"no runs", empty + "/", nil, nil, ok, "no runs of the fleet in the last 24 hours: are agents running"},
		{"not ready", web.URL + "/starting", nil, nil, ok, "not ready yet, so that some runs may be missing: replaying the log"},
		{"token", guarded.URL, pinned, with("sesame"), ok, "5 runs"},
		{"wrong token", guarded.URL, pinned, with("open"), bad, "refuses this token (401): set a valid one"},
		{"no token", guarded.URL, pinned, ca, bad, "wants a token: set one"},
		{"unknown certificate", guarded.URL, nil, nil, bad, "is not trusted: set its CA certificate"},
		{"plain for TLS", strings.Replace(full, "http:", "https:", 1), nil, nil, bad, "does not speak TLS: the URL may have to begin with http://"},
		{"broken certificate", guarded.URL, pinned, map[string]string{"tlsCACert": "xyz"}, bad, "failed to parse TLS CA PEM certificate"},
		{"web server", web.URL, nil, nil, bad, "is not the people's side of a collector"},
		{"redirect", web.URL + "/moved", nil, nil, bad, `it redirects to "https://elsewhere.example/readyz"`},
		{"proxy without collector", web.URL + "/proxy", nil, nil, bad, "no collector behind " + web.URL + "/proxy (status 502)"},
		{"no URL", "", nil, nil, bad, "the URL of the collector is not set"},
		{"no scheme", "localhost:8480", nil, nil, bad, "is not the URL of a collector"},
		{"name", "http://collector.invalid:8480", nil, nil, bad, "the name collector.invalid of the collector does not resolve"},
	} {
		t.Run(c.name, func(t *testing.T) { checkHealth(t, p, settings(c.url, c.options, c.secrets), c.status, c.want) })
	}
}

func TestResources(t *testing.T) {
	address, _ := collector(t, testRuns()...)
	p, at := start(t), settings(address, nil, nil)
	for _, c := range []struct {
		name, method, path, body string
		status                   int32
		want                     string
	}{
		{"measures", "GET", "measures", "", 200, `"name":"ttff_ms_p95"`},
		{"dimensions", "GET", "dimensions", "", 200, `"name":"app_version"`},
		{"values", "POST", "values", `{"dim":"country"}`, 200, `{"values":["BR","DE"]}`},
		{"by prefix", "POST", "values", `{"dim":"country","prefix":"d"}`, 200, `{"values":["DE"]}`},
		{"of numbers", "POST", "values", `{"dim":"asn","prefix":"64"}`, 200, `{"values":["64500"]}`},
		{"of booleans", "POST", "values", `{"dim":"ok"}`, 200, `{"values":["true","false"]}`},
		{"of every source", "POST", "values", `{"dim":"source"}`, 200, `{"values":["fleet","adhoc"]}`},
		{"limited", "POST", "values", `{"dim":"country","limit":1}`, 200, `{"values":["BR"]}`},
		{"chained", "POST", "values", `{"dim":"country","where":[{"dim":"cdn","op":"eq","values":["b"]}]}`, 200, `{"values":["BR"]}`},
		{"not the time", "POST", "values", `{"dim":"country","from":"now-2h"}`, 200, `{"values":[]}`},
		{"unknown dimension", "POST", "values", `{"dim":"contry"}`, 400, `did you mean country`},
		{"unknown path", "GET", "secrets", "", 404, `there are GET dimensions`},
		{"unknown method", "DELETE", "values", "", 404, `there are GET dimensions`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text := p.call(t, at, c.method, c.path, c.body)
			if status != c.status || !strings.Contains(text, c.want) || !json.Valid([]byte(text)) {
				t.Errorf("%d %s, want %d %s", status, text, c.status, c.want)
			}
		})
	}
}
