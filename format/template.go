package format

import "strings"

// DefaultPattern is the pattern that Elixir's Logger uses where none is given: the line feed comes before the text too,
// and a pair of metadata ends with its own space.
const DefaultPattern = "\n$time $metadata[$level] $message\n"

// Variable is a part of a pattern that each event fills in.
type Variable uint8

// The variables, with their names in a pattern. What each prints says [Pattern].
const (
	// VariableNone is that of a literal.
	VariableNone Variable = iota
	// VariableTime is $time.
	VariableTime
	// VariableDate is $date.
	VariableDate
	// VariableMessage is $message.
	VariableMessage
	// VariableLevel is $level.
	VariableLevel
	// VariableNode is $node.
	VariableNode
	// VariableMetadata is $metadata.
	VariableMetadata
	// VariableLevelpad is $levelpad, which is deprecated.
	VariableLevelpad
)

// variableNames are the names in a pattern, by variable.
var variableNames = [...]string{"", "time", "date", "message", "level", "node", "metadata", "levelpad"}

// String is the name of v without its dollar sign, empty for none.
func (v Variable) String() string {
	if int(v) >= len(variableNames) {
		return ""
	}
	return variableNames[v]
}

// Token is one part of a pattern: a literal, or a variable.
type Token struct {
	// Literal is the text that stands for itself; empty in a variable.
	Literal string
	// Variable is what an event fills in; none in a literal.
	Variable Variable
}

// String is the token as a pattern writes it.
func (t Token) String() string {
	if t.Variable == VariableNone {
		return t.Literal
	}
	return "$" + t.Variable.String()
}

// PatternError says what of a pattern cannot be.
type PatternError struct {
	// Name is what follows the dollar sign: an unknown name, or the whole literal that begins with the sign.
	Name string
	// Offset is the position of the dollar sign in the pattern, in bytes.
	Offset int
}

// Error is the text of Elixir's Logger.
func (e *PatternError) Error() string { return "$" + e.Name + " is an invalid format pattern" }

// Template is a compiled pattern. It never changes.
type Template struct {
	tokens []Token
}

// Tokens lists the parts of the pattern, in order; their texts joined are the pattern. The caller owns the list.
func (t *Template) Tokens() []Token { return append([]Token(nil), t.tokens...) }

// uses says whether v occurs in the pattern.
func (t *Template) uses(v Variable) bool {
	for i := range t.tokens {
		if t.tokens[i].Variable == v {
			return true
		}
	}
	return false
}

// Compile reads a pattern by the rules of Elixir's Logger.Formatter:
//
// A dollar sign with the lower-case ASCII letters after it, as many as there are, is a variable: time, date, message,
// level, node, metadata, or levelpad, which is deprecated. Any other name is an error. All else is literal. A dollar
// sign without letters is literal too, unless a literal begins with it: "cost $5" is a literal, "$5" and "$time$5" are
// errors. Nothing escapes a dollar sign. The empty pattern prints nothing.
//
// The error is a [*PatternError] about the first mistake.
func Compile(pattern string) (*Template, error) {
	t := &Template{}
	literal := 0 // Where the literal begins that may end at i.
	for i := 0; i < len(pattern); {
		name := variableName(pattern[i:])
		if name == "" {
			i++
			continue
		}
		if err := t.addLiteral(pattern[literal:i], literal); err != nil {
			return nil, err
		}
		v := variableOf(name)
		if v == VariableNone {
			return nil, &PatternError{Name: name, Offset: i}
		}
		t.tokens = append(t.tokens, Token{Variable: v})
		i += len("$") + len(name)
		literal = i
	}
	if err := t.addLiteral(pattern[literal:], literal); err != nil {
		return nil, err
	}
	return t, nil
}

// addLiteral appends a literal that stands at offset, if it is not empty.
func (t *Template) addLiteral(text string, offset int) error {
	if rest, ok := strings.CutPrefix(text, "$"); ok {
		return &PatternError{Name: rest, Offset: offset}
	}
	if text != "" {
		t.tokens = append(t.tokens, Token{Literal: text})
	}
	return nil
}

// variableName is the name of the variable that s begins with, known or not; empty if it does not begin with one.
func variableName(s string) string {
	if s[0] != '$' {
		return ""
	}
	end := 1
	for end < len(s) && 'a' <= s[end] && s[end] <= 'z' {
		end++
	}
	return s[1:end]
}

// variableOf is the variable of a name, none if there is no such.
func variableOf(name string) Variable {
	for v := VariableTime; int(v) < len(variableNames); v++ {
		if variableNames[v] == name {
			return v
		}
	}
	return VariableNone
}
