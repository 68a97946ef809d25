package format

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/spec"
)

// deviations are the quirks of the original that are not kept, each with its reason. A row that would pass must not be
// here.
var deviations = map[string]string{
	"format/levelpad_warn":                      "the level is called warning, whatever word it was given by",
	"metadata/type_exc":                         "an exception is a Go error, and an error has a text",
	"metadata/domain_mixed_raises":              "a mixed domain is left out and counted; a log call never fails",
	"system_time_utc/-1":                        "times before 1970 are right, where the original has wrong milliseconds",
	"prune/non_list_value":                      "Prune takes nothing but a string",
	"color/v1.19_nl_lf":                         "the reset stands before the line end, as from v1.20 on",
	"color/warn_unknown_level":                  "warn is another word for warning",
	"format_event/bad_chardata_becomes_message": "a message is a string",
	"truncate_chardata/(u6f-u6c-ue1)_n2":        "a text is one string: no character goes beyond the limit",
	"truncate_chardata/(u6f-u6c-ue1)_n3":        "a text is one string: no character goes beyond the limit",
	"truncate_chardata/(u61)_n0":                "a text is one string: no character goes beyond the limit",
	"truncate_chardata/(u10000)_n3":             "a text is one string: no character goes beyond the limit",
}

type formatterVector struct {
	Name     string
	Op       string
	Class    string
	Input    vectorInput
	Expected vectorExpected
	// Recommended takes the place of Expected.
	Recommended *vectorExpected
}

type vectorInput struct {
	Pattern, Format               *string
	Level, Message, Node, Text    string
	Hex                           *string
	Other, Report, Keys, Chardata json.RawMessage
	MessageChardata               json.RawMessage `json:"message_chardata"`
	Timestamp                     struct{ Date, Time []int }
	Metadata, Pairs, Meta         [][2]json.RawMessage
	HMSMS, YMD                    []int
	US                            int64
	UTCTimeUS                     int64 `json:"utc_time_us"`
	N                             any
	Truncate                      int
	Colors                        map[string]any
	AnsiColor                     any `json:"ansi_color"`
}

type vectorExpected struct {
	Text   *string
	Hex    *string
	Error  *string
	Tokens []struct{ Lit, Var string }
	Date   []int
	Time   []int
}

// errNoCounterpart is the result of an input that the types of Go rule out.
var errNoCounterpart = errors.New("no such input in Go")

func TestVectors(t *testing.T) {
	data, err := spec.Vectors("formatter")
	if err != nil {
		t.Fatal(err)
	}
	var rows []formatterVector
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	unused := map[string]string{}
	for name, reason := range deviations {
		unused[name] = reason
	}
	for _, row := range rows {
		reason, deviates := deviations[row.Name]
		delete(unused, row.Name)
		t.Run(row.Name, func(t *testing.T) {
			want := row.Expected
			if row.Recommended != nil {
				want = *row.Recommended
			}
			got, err := runVector(&row)
			wrong := compareVector(&row, want, got, err)
			switch {
			case deviates && (row.Class != "quirk" || row.Recommended != nil):
				t.Error("only quirks may deviate")
			case deviates && wrong == "":
				t.Errorf("passes, so it must leave the table of deviations (%s)", reason)
			case !deviates && wrong != "":
				t.Error(wrong)
			}
		})
	}
	if len(unused) > 0 {
		t.Errorf("deviations from rows that do not exist: %v", unused)
	}
}

// compareVector says what is wrong with a result, nothing if it is as wanted.
func compareVector(row *formatterVector, want vectorExpected, got string, err error) string {
	switch {
	case want.Error != nil && err == nil:
		return fmt.Sprintf("got %q, want the error %q", got, *want.Error)
	case want.Error != nil && row.Op == "compile" && err.Error() != *want.Error:
		return fmt.Sprintf("got error %q, want %q", err, *want.Error)
	case want.Error != nil && row.Class == "quirk" && errors.Is(err, errNoCounterpart):
		return err.Error()
	case want.Error != nil:
		return ""
	case err != nil:
		return err.Error()
	}
	var wanted string
	switch {
	case want.Text != nil:
		wanted = *want.Text
	case want.Hex != nil:
		b, err := hex.DecodeString(*want.Hex)
		if err != nil {
			return err.Error()
		}
		wanted = string(b)
	case want.Date != nil:
		wanted = fmt.Sprint(want.Date, want.Time)
	default:
		for _, token := range want.Tokens {
			wanted += fmt.Sprintf("%q ", token.Lit+token.Var)
		}
	}
	if got != wanted {
		return fmt.Sprintf("got  %q\nwant %q", got, wanted)
	}
	return ""
}

// runVector does what a row asks for.
func runVector(row *formatterVector) (string, error) {
	in := &row.Input
	switch row.Op {
	case "compile":
		return runCompile(in)
	case "format":
		return render(in.Pattern, PatternOptions{AllKeys: true, Node: in.Node}, in.event(in.Metadata))
	case "metadata":
		pattern := "$metadata"
		return render(&pattern, PatternOptions{AllKeys: true}, in.event(in.Pairs))
	case "select":
		o := PatternOptions{}
		if o.AllKeys = string(in.Keys) == `"all"`; !o.AllKeys {
			mustDecode(in.Keys, &o.Keys)
		}
		return render(in.Pattern, o, in.event(in.Meta))
	case "format_time":
		h := in.HMSMS
		return string(appendClock(nil, time.Date(2000, 1, 1, h[0], h[1], h[2], h[3]*1e6, time.UTC))), nil
	case "format_date":
		return string(appendDate(nil, time.Date(in.YMD[0], time.Month(in.YMD[1]), in.YMD[2], 0, 0, 0, 0, time.UTC))), nil
	case "system_time_utc":
		p := time.UnixMicro(in.US).UTC()
		return fmt.Sprint([]int{p.Year(), int(p.Month()), p.Day()}, digitsOf(string(appendClock(nil, p)))), nil
	case "truncate":
		return truncateBy(in.N, in.text())
	case "truncate_chardata":
		text, err := chardata(in.Chardata)
		if err != nil {
			return "", err
		}
		return truncateBy(in.N, text)
	case "prune":
		if in.Other != nil {
			return "", errNoCounterpart
		}
		return Prune(in.text()), nil
	case "color":
		return runColor(in)
	case "format_event":
		if in.MessageChardata != nil || in.Report != nil {
			return "", errNoCounterpart
		}
		return render(in.Format, PatternOptions{AllKeys: true, Truncate: Bytes(in.Truncate)}, in.event(in.Metadata))
	}
	return "", fmt.Errorf("unknown op %q", row.Op)
}

func runCompile(in *vectorInput) (string, error) {
	pattern := DefaultPattern
	if in.Pattern != nil {
		pattern = *in.Pattern
	}
	template, err := Compile(pattern)
	if err != nil {
		return "", err
	}
	text := ""
	for _, token := range template.Tokens() {
		text += fmt.Sprintf("%q ", token.Literal+token.Variable.String())
	}
	return text, nil
}

func runColor(in *vectorInput) (string, error) {
	color := func(key string) string {
		name, _ := in.Colors[key].(string)
		return name
	}
	// A key that Colors does not have cannot be given.
	o := PatternOptions{Colors: Colors{
		Debug: color("debug"), Info: color("info"), Warning: color("warning"), Error: color("error"),
	}}
	switch in.Colors["enabled"] {
	case true:
		o.Colors.Mode = ColorAlways
	case false:
		o.Colors.Mode = ColorNever
	case nil:
	default:
		o.Colors.Mode = ColorNever + 1
	}
	e := in.event(nil)
	e.Time = time.UnixMicro(in.UTCTimeUS)
	switch own := in.AnsiColor.(type) {
	case nil:
		e.Metadata.Set(AnsiColorKey, event.Nil())
	case string:
		e.Metadata.Set(AnsiColorKey, event.String(own))
	case []any:
		names := []string{}
		for _, name := range own {
			names = append(names, name.(string))
		}
		e.Metadata.Set(AnsiColorKey, event.Any(names))
	}
	return render(in.Format, o, e)
}

// render is the exact text of e. The empty pattern cannot be asked for by options, whose empty one is the default.
func render(pattern *string, o PatternOptions, e *event.Event) (string, error) {
	text := DefaultPattern
	if pattern != nil {
		text = *pattern
	}
	template, err := Compile(text)
	if err != nil {
		return "", err
	}
	o.Exact, o.UTC = true, true
	p, err := newPattern(template, &o)
	if err != nil {
		return "", err
	}
	return string(p.Append(nil, e)), nil
}

// truncateBy is [Truncate] with the checks that the options of a pattern make.
func truncateBy(n any, text string) (string, error) {
	limit := Unlimited()
	if number, ok := n.(float64); ok {
		limit = Bytes(int(number))
	}
	most, err := limit.max()
	if err != nil {
		return "", err
	}
	return Truncate(text, most), nil
}

// chardata is the text of nested lists of strings and characters. An atom among them is what Go has no type for.
func chardata(raw json.RawMessage) (string, error) {
	var v any
	mustDecode(raw, &v)
	return join(v)
}

func join(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case float64:
		return string(rune(v)), nil
	case map[string]any:
		if tail, ok := v["improper"]; ok {
			return join(tail)
		}
		return "", errNoCounterpart
	}
	text := ""
	for _, element := range v.([]any) {
		part, err := join(element)
		if err != nil {
			return "", err
		}
		text += part
	}
	return text, nil
}

func (in *vectorInput) text() string {
	if in.Hex == nil {
		return in.Text
	}
	b, err := hex.DecodeString(*in.Hex)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (in *vectorInput) event(pairs [][2]json.RawMessage) *event.Event {
	e := &event.Event{Message: in.Message, Time: time.Unix(0, 0)}
	if in.Level != "" {
		level, err := event.ParseLevel(in.Level)
		if err != nil {
			panic(err)
		}
		e.Level = level
	}
	if d, c := in.Timestamp.Date, in.Timestamp.Time; d != nil {
		e.Time = time.Date(d[0], time.Month(d[1]), d[2], c[0], c[1], c[2], c[3]*1e6, time.UTC)
	}
	for _, pair := range pairs {
		var key string
		mustDecode(pair[0], &key)
		e.Metadata = append(e.Metadata, event.Field{Key: key, Value: typedValue(pair[1])})
	}
	return e
}

// typedValue is the value of Go that stands for one of Erlang. What exists there only, and has a text, is a word here:
// a Stringer that prints it as Elixir would. Lists of symbols are lists of strings, lists of anything are lists of any;
// a list of characters is a list of runes; an exception is an error.
func typedValue(raw json.RawMessage) event.Value {
	var typed struct {
		T, Kind, Hex, Module, Function string
		Arity                          int
		V                              any
	}
	mustDecode(raw, &typed)
	text, _ := typed.V.(string)
	switch typed.T {
	case "string":
		return event.String(text)
	case "bytes":
		return event.String((&vectorInput{Hex: &typed.Hex}).text())
	case "int":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return event.Int(n)
		}
		n, _ := new(big.Int).SetString(text, 10)
		return event.Any(n)
	case "float":
		return event.Float(typed.V.(float64))
	case "bool":
		return event.Bool(typed.V.(bool))
	case "nil":
		return event.Nil()
	case "atom", "module":
		return event.Any(word(strings.TrimPrefix(text, elixirPrefix)))
	case "pid", "port", "ref":
		return event.Any(word(text[strings.IndexByte(text, '<'):]))
	case "stringer":
		return event.Any(word(text))
	case "charlist":
		return event.Any([]rune(text))
	case "atom_list":
		names := []string{}
		for _, name := range typed.V.([]any) {
			names = append(names, name.(string))
		}
		return event.Any(names)
	case "list", "keyword", "tuple":
		list, _ := typed.V.([]any)
		return event.Any(append([]any{}, list...))
	case "map":
		return event.Any(typed.V)
	case "function":
		return event.Any(func() {})
	case "struct":
		if strings.Contains(typed.Kind, "Error") {
			return event.Any(errors.New(typed.Kind))
		}
		return event.Any(struct{ Kind string }{typed.Kind})
	case "mfa":
		return event.Any(MFA{Module: typed.Module, Function: typed.Function, Arity: typed.Arity})
	}
	panic("unknown type " + typed.T)
}

// word is a value with a text.
type word string

func (w word) String() string { return string(w) }

// digitsOf is the numbers in HH:MM:SS.mmm.
func digitsOf(clock string) []int {
	var out []int
	for _, part := range strings.FieldsFunc(clock, func(r rune) bool { return r == ':' || r == '.' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			panic(err)
		}
		out = append(out, n)
	}
	return out
}

func mustDecode(raw json.RawMessage, into any) {
	if err := json.Unmarshal(raw, into); err != nil {
		panic(err)
	}
}
