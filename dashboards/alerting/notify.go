package alerting

// The example of where alerts go. A policy file replaces all of Grafana's own
// policies: merge it into yours, or leave it out.

type object = map[string]any

var contactPoints = struct {
	APIVersion    int      `yaml:"apiVersion"`
	ContactPoints []object `yaml:"contactPoints"`
}{1, []object{
	contactPoint("Firstframe on call", "firstframe-on-call", "http://127.0.0.1:9096/page"),
	contactPoint("Firstframe tickets", "firstframe-tickets", "http://127.0.0.1:9096/ticket"),
}}

// contactPoint is a webhook, which every tool of its kind takes.
func contactPoint(name, uid, url string) object {
	return object{"orgId": 1, "name": name, "receivers": []object{
		{"uid": uid, "type": "webhook", "settings": object{"url": url, "httpMethod": "POST"}},
	}}
}

// policies send one message when rules cannot ask the collector, and otherwise
// one message for a rule and country, however many slices of it
// there are: a release or an origin that fails hits many at once.
var policies = struct {
	APIVersion int      `yaml:"apiVersion"`
	Policies   []object `yaml:"policies"`
}{1, []object{{
	"orgId": 1, "receiver": "Firstframe tickets", "group_by": []string{"rule", "country"},
	"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h",
	"routes": []object{{
		"receiver": "Firstframe on call", "object_matchers": [][]string{{"alertname", "=", "DatasourceError"}},
		"group_by": []string{"alertname"}, "group_wait": "10s",
	}, {
		"receiver": "Firstframe on call", "object_matchers": [][]string{{"severity", "=", Page}},
		"group_by": []string{"rule", "country"}, "group_wait": "10s",
	}},
}}}
