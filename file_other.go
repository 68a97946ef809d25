//go:build !unix

package spile

// openFlags are none: links are refused by looking.
const openFlags = 0
