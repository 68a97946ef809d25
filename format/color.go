package format

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spilelog/spile/event"
)

// ColorMode says whether text is coloured.
type ColorMode uint8

// The modes.
const (
	// ColorAuto leaves it to the backend: a console colours on a terminal, unless NO_COLOR is set. Where no backend
	// says anything, text is not coloured.
	ColorAuto ColorMode = iota
	// ColorAlways colours whatever the backend says.
	ColorAlways
	// ColorNever does not.
	ColorNever
)

// AnsiColorKey is the key of metadata by which one event chooses its own colour. It is not printed as metadata.
const AnsiColorKey = "ansi_color"

// Colors are the colours of the levels. Each is the name of a colour or attribute of Elixir's IO.ANSI, or several
// between spaces, as in "bright red"; empty is the default. Names are those of black, red, green, yellow, blue,
// magenta, cyan and white, alone or as in light_red, red_background and light_red_background, and attributes such as
// bright, faint, italic, underline, inverse and normal. Those that would move the cursor or clear the screen are not
// among them.
//
// The metadata ansi_color, such a text or a list of names, takes the place of the level's colour in its event. One that
// is not valid is ignored.
type Colors struct {
	Mode ColorMode
	// Debug is that of trace and debug; cyan by default.
	Debug string
	// Info is that of info and notice; by default "normal", which ends bright and faint.
	Info string
	// Warning is that of warning; yellow by default.
	Warning string
	// Error is that of error and everything more severe; red by default.
	Error string
}

// reset ends whatever colours were begun.
const reset = "\x1b[0m"

// palette is the colours of a pattern as terminal sequences, by index of level.
type palette [event.NumLevels]string

// compile reads the colours. The error tells of every unknown name.
func (c *Colors) compile() (*palette, error) {
	var errs []error
	if c.Mode > ColorNever {
		errs = append(errs, fmt.Errorf("mode of colors is %d: must be ColorAuto, ColorAlways or ColorNever", c.Mode))
	}
	read := func(field, value, standard string) string {
		if value == "" {
			value = standard
		}
		code, bad := appendNames(nil, value)
		if bad != "" {
			errs = append(errs, fmt.Errorf("color for %s has the unknown name %q: must be of %s", field, bad, colorNames()))
		}
		return string(code)
	}
	debug := read("debug", c.Debug, "cyan")
	info := read("info", c.Info, "normal")
	warning := read("warning", c.Warning, "yellow")
	severe := read("error", c.Error, "red")
	return &palette{debug, debug, info, info, warning, severe, severe, severe, severe}, errors.Join(errs...)
}

// appendStart begins the colour of e.
func (p *palette) appendStart(dst []byte, e *event.Event) []byte {
	if v, ok := e.Metadata.Get(AnsiColorKey); ok {
		if own, ok := appendOwn(dst, v); ok {
			return own
		}
	}
	return append(dst, p[e.Level.Index()]...)
}

// appendOwn appends the colour that the metadata of an event asks for, and says whether it was a valid one. If it was
// not, dst is to be used as it was.
func appendOwn(dst []byte, v event.Value) ([]byte, bool) {
	start := len(dst)
	switch v.Kind() {
	case event.KindString:
		own, bad := appendNames(dst, v.Text())
		return own, bad == "" && len(own) > start
	case event.KindAny:
		names, _ := v.Any().([]string)
		for _, name := range names {
			bad := ""
			if dst, bad = appendNames(dst, name); bad != "" {
				return dst, false
			}
		}
	}
	return dst, len(dst) > start
}

// appendReset ends the colour of the text that begins at start. One line end stays behind it, because a terminal that
// scrolls fills the new line with the colour that is on.
func appendReset(dst []byte, start int) []byte {
	end := ""
	switch text := dst[start:]; {
	case bytes.HasSuffix(text, []byte("\r\n")):
		end = "\r\n"
	case bytes.HasSuffix(text, []byte("\n")):
		end = "\n"
	}
	dst = append(dst[:len(dst)-len(end)], reset...)
	return append(dst, end...)
}

// appendNames appends the sequences of the names in text. The second result is the first name that is none.
func appendNames(dst []byte, text string) ([]byte, string) {
	for name := range strings.FieldsSeq(text) {
		code, ok := sgrCodes[name]
		if !ok {
			return dst, name
		}
		dst = append(dst, "\x1b["...)
		dst = strconv.AppendUint(dst, uint64(code), 10)
		dst = append(dst, 'm')
	}
	return dst, ""
}

// colorNames lists the names for an error message.
func colorNames() string {
	return strings.Join(slices.Sorted(maps.Keys(sgrCodes)), ", ")
}
