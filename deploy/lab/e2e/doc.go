// Package e2e proves the whole: it holds tests alone. They press play on every
// stream of the lab through every CDN, order every kind of fault, run the
// programs as users do, kill them, and account for every run.
//
// The programs are built once from the tree, as the Makefile builds them. More
// kills than a test has time for are made by make chaos.
package e2e
