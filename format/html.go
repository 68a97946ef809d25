package format

import (
	"strings"

	"github.com/spilelog/spile/event"
)

// DefaultTitle is the title of a page where none is set.
const DefaultTitle = "Log"

// pageHead is what stands before the title of a page. Nothing in the page is a script, and the one style block is the
// same in every page, so that a content security policy may name its hash.
const pageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>`

// pageBody is what stands between the title and the first event. The colours of the dark scheme are lighter ones of the
// same names.
const pageBody = `</title>
<style>
:root { color-scheme: light dark; }
body { font: 14px/1.4 ui-monospace, monospace; margin: 1em; }
p { margin: 0 0 .6em; overflow-wrap: anywhere; }
.time, .metadata { opacity: .75; }
.message { white-space: pre-wrap; }
.trace .colorlevel { color: gray; }
.debug .colorlevel { color: darkcyan; }
.info .colorlevel, .notice .colorlevel { color: black; }
.warning .colorlevel { color: darkorange; }
.error .colorlevel, .critical .colorlevel, .alert .colorlevel, .emergency .colorlevel { color: red; }
.critical .colorlevel, .alert .colorlevel, .emergency .colorlevel { font-weight: bold; }
@media (prefers-color-scheme: dark) {
.debug .colorlevel { color: turquoise; }
.info .colorlevel, .notice .colorlevel { color: white; }
.warning .colorlevel { color: orange; }
.error .colorlevel, .critical .colorlevel, .alert .colorlevel, .emergency .colorlevel { color: #ff7b72; }
}
</style>
</head>
<body>
`

// pageFoot is what stands after the last event.
const pageFoot = "</body>\n</html>\n"

// HTML is a [Document] that makes a page with one paragraph of each event, in one line:
//
//	<p class="error"><span class="time">12:06:30.100</span> <span class="level">[error]</span> …<br>…</p>
//
// It holds spans of the classes time, level, metadata and message; that of the paragraph is the word of the level. All
// text is escaped: markup, and control characters as backslash escapes.
//
// The zero value is ready and shows no metadata. It must not be changed after its first use.
type HTML struct {
	// Keys are the metadata to show, in this order; those of groups have dotted keys. What has no text of its own is
	// left out.
	Keys []string
	// AllKeys shows all metadata, in their order, whatever Keys says.
	AllKeys bool
	// UTC shows times in UTC, else they are local.
	UTC bool
	// Title is the title of the page; empty is [DefaultTitle].
	Title string
}

// AppendHead implements [Document].
func (h *HTML) AppendHead(dst []byte) []byte {
	title := h.Title
	if title == "" {
		title = DefaultTitle
	}
	return append(appendHTML(append(dst, pageHead...), title), pageBody...)
}

// AppendFoot implements [Document].
func (h *HTML) AppendFoot(dst []byte) []byte { return append(dst, pageFoot...) }

// Append implements [Formatter].
func (h *HTML) Append(dst []byte, e *event.Event) []byte {
	level := e.Level.String()
	dst = append(append(append(dst, `<p class="`...), level...), `">`...)
	if !e.Time.IsZero() {
		t := e.Time.Local()
		if h.UTC {
			t = t.UTC()
		}
		dst = append(appendClock(append(dst, `<span class="time">`...), t), `</span> `...)
	}
	dst = append(append(append(dst, `<span class="level">[`...), level...), `]</span> `...)
	dst = h.appendMetadata(dst, e.Metadata)
	dst = append(dst, `<br><span class="message colorlevel">`...)
	dst = appendHTML(dst, e.Message)
	return append(dst, "</span></p>\n"...)
}

// appendMetadata appends the span of the metadata, if there is something in it.
func (h *HTML) appendMetadata(dst []byte, m event.Metadata) []byte {
	const open = `<span class="metadata">`
	before := len(dst)
	var room [expectedDepth]string
	dst = append(dst, open...)
	if h.AllKeys {
		dst = appendHTMLFields(dst, room[:0], m)
	} else {
		for _, key := range h.Keys {
			for v := range m.All(key) {
				dst = appendHTMLPair(dst, room[:0], event.Field{Key: key, Value: v})
			}
		}
	}
	if len(dst) == before+len(open) {
		return dst[:before]
	}
	return append(dst, `</span>`...)
}

// appendHTMLFields appends all of m. Open are the keys of the groups around it.
func appendHTMLFields(dst []byte, open []string, m event.Metadata) []byte {
	for i := range m {
		dst = appendHTMLPair(dst, open, m[i])
	}
	return dst
}

// appendHTMLPair appends one pair and a space, or the pairs of a group.
func appendHTMLPair(dst []byte, open []string, f event.Field) []byte {
	if f.Value.Kind() == event.KindGroup {
		if f.Key != "" { // A group without a key adds nothing to those of its fields.
			open = append(open, f.Key)
		}
		return appendHTMLFields(dst, open, f.Value.Fields())
	}
	if isNothing(f.Value) || !f.Value.Printable() {
		return dst
	}
	for _, group := range open {
		dst = append(appendHTMLQuoted(dst, group), '.')
	}
	dst = append(appendHTMLQuoted(dst, f.Key), '=')
	if text, ok := freeText(f.Value); ok {
		dst = appendHTMLQuoted(dst, text)
	} else {
		dst = f.Value.AppendText(dst)
	}
	return append(dst, ' ')
}

// markup are the characters that mean something to HTML.
const markup = `<>&'"`

// appendHTML appends s as the text of an element or an attribute, escaped as [appendEscaped] does too.
func appendHTML(dst []byte, s string) []byte {
	for {
		i := strings.IndexAny(s, markup)
		if i < 0 {
			return appendEscaped(dst, s)
		}
		dst = append(appendEscaped(dst, s[:i]), htmlEntity(s[i])...)
		s = s[i+1:]
	}
}

// appendHTMLQuoted appends s as one token, quoted as [appendQuoted] does.
func appendHTMLQuoted(dst []byte, s string) []byte {
	if bare(s) {
		return appendHTML(dst, s)
	}
	dst = append(dst, htmlEntity('"')...)
	for {
		i := indexQuote(s)
		if i < 0 {
			return append(appendHTML(dst, s), htmlEntity('"')...)
		}
		dst = append(append(appendHTML(dst, s[:i]), '\\'), htmlEntity('"')...)
		s = s[i+1:]
	}
}

// htmlEntity is what stands for one of the markup characters, as in the package html.
func htmlEntity(b byte) string {
	switch b {
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '&':
		return "&amp;"
	case '\'':
		return "&#39;"
	default:
		return "&#34;"
	}
}

// appendFailure is the fallback line as a paragraph with all that is known.
func (h *HTML) appendFailure(dst []byte, failed *event.Event) []byte {
	all := *h
	all.AllKeys = true
	return all.Append(dst, failed)
}
