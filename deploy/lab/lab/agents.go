package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/firstframe/firstframe/deploy/lab/proc"
)

// AgentConfig says how agents are run.
type AgentConfig struct {
	Binary    string // the agent program
	Collector string // base URL of the collector's side for agents
	Dir       string // of each agent's data and of what they say; empty means "agents" in the lab's folder
}

// AgentArgs is the command line of one agent of the fleet. Loopback is allowed
// to it by the plan.
func (l *Lab) AgentArgs(a AgentInfo, c AgentConfig) []string {
	c = l.complete(c)
	return []string{"run",
		"--collector", c.Collector,
		"--id", a.Name,
		"--bind", a.Addr.String(),
		"--resolver", l.Info.DNS.String(),
		"--ca", l.Info.CA,
		"--data", filepath.Join(c.Dir, a.Name),
	}
}

// StartAgent starts one agent as a process of its own, which is the caller's
// to stop.
func (l *Lab) StartAgent(a AgentInfo, c AgentConfig) (*proc.Process, error) {
	c = l.complete(c)
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return proc.Start(proc.Spec{Name: a.Name, Path: c.Binary, Args: l.AgentArgs(a, c), Logs: c.Dir})
}

func (l *Lab) complete(c AgentConfig) AgentConfig {
	if c.Dir == "" {
		c.Dir = filepath.Join(l.Info.Dir, "agents")
	}
	return c
}

// StartAgents starts every agent of the world. When one does not start, none
// is left running.
func (l *Lab) StartAgents(c AgentConfig) ([]*proc.Process, error) {
	var all []*proc.Process
	for _, a := range l.Info.Agents {
		p, err := l.StartAgent(a, c)
		if err != nil {
			for _, p := range all {
				err = errors.Join(err, p.Kill())
			}
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
