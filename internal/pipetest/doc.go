// Package pipetest holds the whole pipe against its promises by a model: an agent, a server and viewers in one process,
// over sockets that can be cut, and files that are written and rotated in every way while each of them dies and
// returns. It has tests only.
package pipetest
