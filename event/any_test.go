package event

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

// verbatim is a program's value whose JSON is what it says.
type verbatim string

func (v verbatim) MarshalJSON() ([]byte, error) { return []byte(v), nil }

func TestAnyJSONIsHarmless(t *testing.T) {
	tests := map[string]struct {
		value any
		want  string
	}{
		"plain":             {map[string]any{"a": []int{1}, "é": "ü"}, `{"a":[1],"é":"ü"}`},
		"direction":         {map[string]string{"a\u202e": "b\u2066"}, `{"a\u202e":"b\u2066"}`},
		"terminal":          {[]any{"\x1b[31m\u009b31m\x7f"}, `["\u001b[31m\u009b31m\u007f"]`},
		"line-ends":         {struct{ A string }{"\u0085\u2028\n"}, `{"A":"\u0085\u2028\n"}`},
		"invalid-utf8":      {struct{ A string }{"\xffb\xff"}, `{"A":"\ufffdb\ufffd"}`},
		"marshaler":         {verbatim("{\n\t\"a\u202e\": \"\u2028\u0085\x7f\" }"), `{"a\u202e":"\u2028\u0085\u007f"}`},
		"marshaler-invalid": {verbatim("\"a\xffb\xe2\x80\""), `"a\ufffdb\ufffd\ufffd"`},
		"raw-after-escape":  {json.RawMessage("\"\\\\\u202e\""), `"\\\u202e"`},
		"replacement":       {verbatim("\"\ufffd\""), "\"\ufffd\""},
		"error":             {errors.New("a\u202e"), `"a\u202e"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Any(test.value).AppendJSON([]byte("x"))[1:]
			if string(got) != test.want || !utf8.Valid(got) || !json.Valid(got) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
