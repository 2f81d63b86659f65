// Package e2e proves the whole: it holds tests alone. They press play on every
// stream of the lab through every CDN, order every kind of fault, run the
// programs as users do, kill them, and account for every run.
//
// The programs are built once from the tree, as the Makefile builds them. What
// takes longer than a test should runs with FIRSTFRAME_CHAOS set to a number of
// kills.
package e2e
