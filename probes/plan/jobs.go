package plan

import (
	"slices"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/goccy/go-yaml/ast"
)

// Job is what one run plays. The jobs of one target are its round.
type Job struct {
	Target run.Target
	CDN    run.CDN
	App    run.App
}

// Facts are what assignments may ask of an agent. What is not known is empty
// and fits no condition.
type Facts struct {
	Agent   string
	Country string // ISO 3166-1 alpha-2, capital letters
	Region  string
	Labels  map[string]string
}

// assignment gives targets to the agents that fit every condition it has.
type assignment struct {
	agents    []string // patterns
	countries []string
	regions   []string // patterns
	labels    map[string]string
	targets   map[string]bool // by name
}

// Jobs are an agent's, target by target in the order of the plan. Without
// assignments every agent has every target; with them, those of all the
// assignments that it fits.
func (p *Plan) Jobs(f Facts) []Job {
	return p.jobs(func(t Target) bool {
		return len(p.assignments) == 0 || slices.ContainsFunc(p.assignments, func(a assignment) bool {
			return a.targets[t.Name] && a.fits(f)
		})
	})
}

// AllJobs are the jobs of every target, whoever they are assigned to.
func (p *Plan) AllJobs() []Job { return p.jobs(func(Target) bool { return true }) }

// Controls are the jobs of the control targets, which every agent has.
func (p *Plan) Controls() []Job {
	jobs := make([]Job, len(p.Control))
	for i, t := range p.Control {
		jobs[i].Target = t
	}
	return jobs
}

func (p *Plan) jobs(keep func(Target) bool) []Job {
	var jobs []Job
	for _, t := range p.Targets {
		if !keep(t) {
			continue
		}
		for _, c := range t.CDNs {
			for _, a := range t.Apps {
				jobs = append(jobs, Job{t.Target, c, a})
			}
		}
	}
	return jobs
}

// fits tells whether an agent fits every condition.
func (a *assignment) fits(f Facts) bool {
	is := func(value string) func(string) bool {
		return func(pattern string) bool { return value != "" && match(pattern, value) }
	}
	for k, v := range a.labels {
		if got, ok := f.Labels[k]; !ok || got != v {
			return false
		}
	}
	return (len(a.agents) == 0 || slices.ContainsFunc(a.agents, is(f.Agent))) &&
		(len(a.regions) == 0 || slices.ContainsFunc(a.regions, is(f.Region))) &&
		(len(a.countries) == 0 || slices.Contains(a.countries, f.Country))
}

// assign reads the assignments. A target that none names would be played by
// nobody, and nobody would miss it: that is an error.
func (d *decoder) assign(p *Plan, o *object) {
	assigned := map[string]bool{}
	for _, n := range o.list("assignments", MaxAssignments) {
		a := d.assignment(n, p.Targets)
		p.assignments = append(p.assignments, a)
		for t := range a.targets {
			assigned[t] = true
		}
	}
	if len(p.assignments) == 0 {
		return
	}
	for _, t := range p.Targets {
		if t.Name != "" && !assigned[t.Name] {
			d.errorf(position(o.get("assignments")), "assignments: target %q is in none, so no agent would play it", t.Name)
		}
	}
}

func (d *decoder) assignment(n ast.Node, targets []Target) assignment {
	o := d.object(n, "assignment", "agents", "targets")
	a := assignment{targets: map[string]bool{}}
	o.need("targets")
	for _, t := range refer(o, "targets", targets, func(t Target, ref string) bool { return match(ref, t.Name) }, func(t Target) string { return t.Name }) {
		a.targets[t.Name] = true
	}
	if who := o.get("agents"); who != nil {
		c := d.object(who, "agents", "agent", "country", "region", "labels")
		a.agents = c.texts("agent", pattern)
		a.countries = c.texts("country", country)
		a.regions = c.texts("region", pattern)
		a.labels = c.dictionary("labels", run.MaxLabels, name, anyText)
	}
	return a
}
