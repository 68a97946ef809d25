// Package e2e tests the built program from outside: real processes, real files, real signals.
package e2e
