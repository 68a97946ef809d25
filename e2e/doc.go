// Package e2e tests the built program from outside: real processes, real files, real signals; and what
// the library shows in a real browser.
package e2e
