package format

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/callsite"
)

// PatternOptions says how a [Pattern] prints. The zero value prints [DefaultPattern] without metadata, safely, in local
// time.
type PatternOptions struct {
	// Pattern is the text with its variables, as [Compile] reads it; empty is [DefaultPattern].
	Pattern string
	// Func makes the text in place of Pattern. It is given an event whose message is already cut to Truncate and, unless
	// Exact, valid UTF-8, whose time is in the zone of UTC, and whose metadata is what Keys or AllKeys select, even what
	// has no text. Colours are put around what it appends. Escaping is up to it.
	Func Func
	// Keys are the metadata that are printed, in this order; none by default. A key with dots reaches into groups, the
	// key of a group stands for all of it. A key that a record has twice is printed twice. Where a record has none,
	// module, function, mfa, file, line and at tell the place of the call.
	Keys []string
	// AllKeys prints all metadata in the order in which it was added. It excludes Keys.
	AllKeys bool
	// Truncate is how long a message may be; see [Truncate]. Metadata is not limited.
	Truncate Limit
	// UTC prints times in UTC, not in the local zone.
	UTC bool
	// Colors are the colours of the levels.
	Colors Colors
	// Exact prints messages, keys and values as they are: not quoted, not escaped, valid UTF-8 or not, as Elixir's
	// Logger does. Whoever can choose one of them can forge lines and speak to the terminal.
	Exact bool
	// JSON prints values that have no text of their own as JSON, where they would be left out and counted.
	JSON bool
	// Node is what $node prints; empty is the name of the host.
	Node string
}

// Pattern is a [Formatter] that fills in a pattern. Its variables print:
//
//	$time      the time of day, 15:04:05.000, milliseconds rounded down
//	$date      the date, 2006-01-02
//	$message   the message, cut to the limit
//	$level     trace, debug, info, notice, warning, error, critical, alert, emergency
//	$node      the name of the host, or what is set
//	$metadata  key=value and a space for each pair, so nothing where there is none
//	$levelpad  a space behind info, nothing else
//
// Time and date of a record without a time print nothing.
//
// Of metadata is printed what has a text: strings, numbers, truths, times, durations, errors, and whatever has a method
// MarshalText or String; also domain, a list of strings, with dots between them. Groups are printed as dotted keys.
// Nil is left out, and so are the keys time, gl, report_cb and ansi_color. Other values are left out and counted; see
// [Pattern.Dropped].
//
// A false value is printed with a list of keys too; Elixir's Logger leaves it out there.
//
// A Pattern never changes, apart from its count.
type Pattern struct {
	tokens  []Token
	text    Func
	keys    []selectedKey
	all     bool
	limit   int
	utc     bool
	exact   bool
	json    bool
	node    string
	mode    ColorMode
	colored bool
	palette *palette
	// dropped counts the values left out, by all copies.
	dropped *atomic.Uint64
	// sites remembers the places of calls; nil where no key asks for them.
	sites *callsite.Cache
}

// NewPattern returns a formatter. The error tells of everything in o that cannot be; one of the pattern itself is a
// [*PatternError].
func NewPattern(o PatternOptions) (*Pattern, error) {
	text := o.Pattern
	if text == "" {
		text = DefaultPattern
	}
	template, err := Compile(text)
	if err != nil {
		return nil, fmt.Errorf("make pattern formatter: %w", err)
	}
	p, err := newPattern(template, &o)
	if err != nil {
		return nil, fmt.Errorf("make pattern formatter: %w", err)
	}
	return p, nil
}

// newPattern is NewPattern with the pattern compiled.
func newPattern(template *Template, o *PatternOptions) (*Pattern, error) {
	p := &Pattern{
		tokens: template.tokens, text: o.Func, all: o.AllKeys, utc: o.UTC, exact: o.Exact, json: o.JSON,
		mode: o.Colors.Mode, colored: o.Colors.Mode == ColorAlways, dropped: &atomic.Uint64{},
	}
	var errs []error
	var err error
	if o.Func != nil && o.Pattern != "" {
		errs = append(errs, errors.New("both Pattern and Func are set: only one of them can make the text"))
	}
	if p.keys, err = selectKeys(o); err != nil {
		errs = append(errs, err)
	}
	for i := range p.keys {
		if p.keys[i].derivable {
			p.sites = &callsite.Cache{}
			break
		}
	}
	if p.limit, err = o.Truncate.max(); err != nil {
		errs = append(errs, err)
	}
	if p.palette, err = o.Colors.compile(); err != nil {
		errs = append(errs, err)
	}
	if p.node = o.Node; p.node == "" && template.uses(VariableNode) {
		if p.node, err = os.Hostname(); err != nil {
			errs = append(errs, fmt.Errorf("the pattern has $node and Node is empty: %w", err))
		}
	}
	if !o.Exact { // The name of a host may come from its network.
		p.node = string(appendEscaped(nil, p.node))
	}
	return p, errors.Join(errs...)
}

// selectKeys reads which metadata is printed.
func selectKeys(o *PatternOptions) ([]selectedKey, error) {
	if o.AllKeys && len(o.Keys) > 0 {
		return nil, errors.New("both Keys and AllKeys are set: one excludes the other")
	}
	keys := make([]selectedKey, 0, len(o.Keys))
	for i, name := range o.Keys {
		if name == "" {
			return nil, fmt.Errorf("key %d is empty: must be the name of metadata", i)
		}
		keys = append(keys, newSelectedKey(name))
	}
	return keys, nil
}

// WithColor returns p with colours on or off, for a backend that knows what its output can show. It is p itself where
// the options already say so; see [ColorMode]. The copies count together.
func (p *Pattern) WithColor(on bool) *Pattern {
	if p.mode != ColorAuto || p.colored == on {
		return p
	}
	c := *p
	c.colored = on
	return &c
}

// Dropped counts the values that were left out because they have no text.
func (p *Pattern) Dropped() uint64 { return p.dropped.Load() }

// Append appends the text of e.
func (p *Pattern) Append(dst []byte, e *event.Event) []byte {
	if !p.colored {
		return p.appendPlain(dst, e)
	}
	dst = p.palette.appendStart(dst, e)
	start := len(dst)
	return appendReset(p.appendPlain(dst, e), start)
}

// appendPlain appends the text of e without colour.
func (p *Pattern) appendPlain(dst []byte, e *event.Event) []byte {
	if p.text != nil {
		return p.text(dst, p.prepared(e))
	}
	for i := range p.tokens {
		dst = p.appendToken(dst, &p.tokens[i], e)
	}
	return dst
}

// appendToken appends what a token prints for e.
func (p *Pattern) appendToken(dst []byte, t *Token, e *event.Event) []byte {
	switch t.Variable {
	case VariableNone:
		return append(dst, t.Literal...)
	case VariableTime:
		if !e.Time.IsZero() {
			dst = appendClock(dst, p.zoned(e.Time))
		}
	case VariableDate:
		if !e.Time.IsZero() {
			dst = appendDate(dst, p.zoned(e.Time))
		}
	case VariableMessage:
		return p.appendMessage(dst, e.Message)
	case VariableLevel:
		return append(dst, e.Level.String()...)
	case VariableNode:
		return append(dst, p.node...)
	case VariableMetadata:
		return p.appendMetadata(dst, e)
	case VariableLevelpad:
		if e.Level.Index() == event.Info.Index() {
			dst = append(dst, ' ')
		}
	}
	return dst
}

// appendMessage appends the message, cut and escaped.
func (p *Pattern) appendMessage(dst []byte, message string) []byte {
	kept, cut := cutAt(message, p.limit)
	if p.exact {
		dst = append(dst, kept...)
	} else {
		dst = appendEscaped(dst, kept)
	}
	if cut {
		dst = append(dst, truncated...)
	}
	return dst
}

// zoned is t in the zone that is printed.
func (p *Pattern) zoned(t time.Time) time.Time {
	if p.utc {
		return t.UTC()
	}
	return t.Local()
}

// prepared is e as a function is given it: a copy that is its own but for the metadata.
func (p *Pattern) prepared(e *event.Event) *event.Event {
	c := *e
	if !e.Time.IsZero() {
		c.Time = p.zoned(e.Time)
	}
	c.Message = Truncate(e.Message, p.limit)
	if !p.exact {
		c.Message = Prune(c.Message)
	}
	if p.all {
		return &c
	}
	c.Metadata = nil
	for i := range p.keys {
		key := &p.keys[i]
		p.values(e, key, func(v event.Value) {
			c.Metadata = append(c.Metadata, event.Field{Key: key.name, Value: v})
		})
	}
	return &c
}
