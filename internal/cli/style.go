package cli

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"

	"github.com/spilelog/spile/event"
)

// The colours of the terminal.
const (
	styleReset   = "\x1b[0m"
	styleDim     = "\x1b[2m"
	styleSource  = "\x1b[36m"
	styleQuiet   = "\x1b[90m"
	styleInfo    = "\x1b[32m"
	styleWarning = "\x1b[33m"
	styleError   = "\x1b[31m"
	styleWorse   = "\x1b[1;97;41m"
)

// levelWidth is the width to which a level is filled, so that the usual ones line up.
const levelWidth = 5

// levelStyle is the colour of a level.
func levelStyle(word string) string {
	level, err := event.ParseLevel(word)
	switch {
	case err != nil || level < event.Info:
		return styleQuiet
	case level < event.Warning:
		return styleInfo
	case level < event.Error:
		return styleWarning
	case level < event.Critical:
		return styleError
	}
	return styleWorse
}

// style is code where colours are wanted, else nothing.
func (s *view) style(code string) string {
	if s.colour {
		return code
	}
	return ""
}

// paint appends code where colours are wanted.
func (s *view) paint(dst []byte, code string) []byte { return append(dst, s.style(code)...) }

// appendPadded appends a level's word, filled with spaces.
func appendPadded(dst []byte, word string) []byte {
	start := len(dst)
	dst = appendNeutral(dst, word)
	for len(dst)-start < levelWidth {
		dst = append(dst, ' ')
	}
	return dst
}

// colours says whether w is a terminal whose user has not asked for no colours.
func (a *app) colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb" && isatty.IsTerminal(f.Fd())
}
