package format

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTruncatePanicsOnNegative(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Truncate("foo", -1)
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("é", DefaultLimit)
	tests := []struct {
		name  string
		limit Limit
		want  int
	}{
		{"default", Limit{}, DefaultLimit},
		{"odd", Bytes(7), 6},
		{"nothing", Bytes(0), 0},
		{"unlimited", Unlimited(), len(long)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			most, err := tt.limit.max()
			if err != nil {
				t.Fatal(err)
			}
			if kept, cut := cutAt(long, most); len(kept) != tt.want || cut != (tt.want < len(long)) {
				t.Errorf("kept %d bytes, cut %t; want %d", len(kept), cut, tt.want)
			}
		})
	}
}

func FuzzTruncate(f *testing.F) {
	f.Add("olá", 3)
	f.Add("日本語", 4)
	f.Add("\xff\xff\xff", 2)
	f.Add("", 0)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 0 {
			return
		}
		got := Truncate(s, n)
		if len(s) <= n {
			if got != s {
				t.Errorf("%q fits %d and became %q", s, n, got)
			}
			return
		}
		kept, ok := strings.CutSuffix(got, truncated)
		if !ok || len(kept) > n || !strings.HasPrefix(s, kept) {
			t.Errorf("%q at %d became %q", s, n, got)
		}
		if utf8.ValidString(s) && (!utf8.ValidString(got) || n-len(kept) >= utf8.UTFMax) {
			t.Errorf("%q at %d is valid and became %q", s, n, got)
		}
	})
}

func FuzzPrune(f *testing.F) {
	f.Add("h\xc3\xad\xe9")
	f.Add("\xed\xa0\x80\xc0\x80\xf4\x90\x80\x80\xff")
	f.Add("a\x00b\uffff\ufffd")
	f.Fuzz(func(t *testing.T, s string) {
		got := Prune(s)
		if !utf8.ValidString(got) || Prune(got) != got {
			t.Errorf("%q became %q", s, got)
		}
		if utf8.ValidString(s) && got != s {
			t.Errorf("%q is valid and became %q", s, got)
		}
		if utf8.RuneCountInString(s) != utf8.RuneCountInString(got) {
			t.Errorf("%q became %q: not one character per invalid byte", s, got)
		}
	})
}

func TestTextsThatStayCostNothing(t *testing.T) {
	s := strings.Repeat("olá ", 100)
	if n := testing.AllocsPerRun(100, func() { s = Prune(Truncate(s, 1000)) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
