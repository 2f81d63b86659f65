package main

import "github.com/firstframe/firstframe/probes/plan"

// checkPlan refuses a plan that an agent would refuse. Agents find their own
// part of it by its assignments.
func checkPlan(file string) func(text []byte) error {
	return func(text []byte) error {
		_, err := plan.Parse(file, text, plan.Options{})
		return err
	}
}
