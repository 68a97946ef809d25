// Package manual holds the code of docs/library.md, so that it is compiled and run. A test finds each block of the
// manual in the files of this package, word by word, and runs each of its curl lines.
package manual
