package namespace

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, pattern, normal string
		rank                  Rank
	}{
		{"double-colons", "A::B", "A::B", Rank{2, 0, 0}},
		{"go-package-and-type", "github.com/acme/shop/db.Pool", "github::com::acme::shop::db::Pool", Rank{6, 0, 0}},
		{"all-separators", "A::B/C.D", "A::B::C::D", Rank{4, 0, 0}},
		{"empty-parts", "::A::.B/", "A::B", Rank{2, 0, 0}},
		{"one-part", "A", "A", Rank{1, 0, 0}},
		{"star", "*", "*", Rank{0, 1, 0}},
		{"stars", "**", "**", Rank{0, 0, -1}},
		{"stars-twice", "A::**::**", "A::**", Rank{1, 0, -1}},
		{"stars-before-star", "**::*", "*::**", Rank{0, 1, -1}},
		{"long-run", "A::**::*::**::*::**::B", "A::*::*::**::B", Rank{2, 2, -1}},
		{"two-runs", "**::A::**", "**::A::**", Rank{1, 0, -2}},
		{"other-letters", "Größe.日本", "Größe::日本", Rank{2, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if p.Normal() != tt.normal || p.Rank() != tt.rank || p.String() != tt.pattern {
				t.Errorf("got %q with rank %v, written %q; want %q with %v, %q",
					p.Normal(), p.Rank(), p.String(), tt.normal, tt.rank, tt.pattern)
			}
		})
	}
}

func TestParseRejects(t *testing.T) {
	tests := []struct{ name, pattern, why string }{
		{"empty", "", "is empty"},
		{"only-separators", "::/.", "has no part"},
		{"three-colons", "A:::B", "more than two colons"},
		{"four-colons", "A::::B", "more than two colons"},
		{"single-colon", "A:B", `the part "A:B" has a single colon`},
		{"colon-at-end", "A.B:", `the part "B:" has a single colon`},
		{"space", "A::B C", `the part "B C" has white space`},
		{"only-space", " ", `the part " " has white space`},
		{"other-space", "A\u00a0", "has white space"},
		{"line-end", "A\n", "has white space"},
		{"star-within", "A::HT*", `the part "HT*" has a * among other characters`},
		{"three-stars", "***", `the part "***" has a * among other characters`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.pattern)
			if err == nil || !strings.Contains(err.Error(), tt.why) || !strings.HasSuffix(err.Error(), allowed) {
				t.Errorf("error is %v, want one that says %s, and what is allowed", err, tt.why)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		name, pattern, namespace string
		want                     bool
	}{
		{"go-package-below", "github.com/acme/**", "github.com/acme/shop/db.Pool", true},
		{"go-package-itself", "github.com/acme/shop/**", "github.com/acme/shop", true},
		{"go-neighbour", "github.com/acme/shop/**", "github.com/acme/shopping", false},
		{"types-of-a-package", "github.com/acme/shop/db.*", "github.com/acme/shop/db.Pool", true},
		{"not-the-package", "github.com/acme/shop/db.*", "github.com/acme/shop/db", false},
		{"other-separators", "MyApp::DB::*", "MyApp/DB.Pool", true},
		{"empty-parts-of-the-name", "A.B", "..A::/B::", true},
		{"single-colon-of-the-name", "A.*", "A.b:c", true},
		{"three-colons-of-the-name", "A.*", "A:::B", true},
		{"many-tries", "**::A::B::**::B", "A::A::A::B::A::B::B", true},
		{"many-tries-in-vain", "**::A::B::**::C", "A::A::A::B::A::B::B", false},
		{"end-of-name-within", "**::A::B", "B::A", false},
		{"nothing-left-for-a-star", "**::*", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(tt.namespace); got != tt.want {
				t.Errorf("match is %t, want %t", got, tt.want)
			}
		})
	}
}

// reference splits and matches in the plainest way: a table with a row for each part of the pattern and a column for
// each part of the name.
func reference(pattern, name string, split separators) bool {
	p, n := referenceSplit(pattern, split), referenceSplit(name, split)
	match := make([]bool, len(n)+1)
	match[0] = true
	for _, part := range p {
		next := make([]bool, len(n)+1)
		next[0] = match[0] && part == many
		for j := range n {
			switch part {
			case many:
				next[j+1] = match[j+1] || next[j]
			default:
				next[j+1] = match[j] && (part == one || part == n[j])
			}
		}
		match = next
	}
	return match[len(n)]
}

func referenceSplit(name string, split separators) []string {
	sep := "::"
	if split == everySeparator {
		name, sep = strings.NewReplacer("::", "/", ".", "/").Replace(name), "/"
	}
	var out []string
	for _, part := range strings.Split(name, sep) {
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// FuzzMatch holds the matcher against the reference, for what Parse takes and what it does not, within a bound of time.
func FuzzMatch(f *testing.F) {
	deep := strings.Repeat("a::", 500)
	for _, s := range [][2]string{
		{"", ""},
		{"A::**::B", "A::X::B"},
		{"**::*::**::*::**", deep},
		{"**::a::**::a::**::a::**::b", deep},
		{"A/B.*", "A.B::C"},
		{":::", ":::"},
		{"A:B", "A:B"},
		{"**::**::A", "A"},
		{"*::**::*", "A"},
		{"A::", "::A"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		for _, split := range []separators{doubleColon, everySeparator} {
			start := time.Now()
			p := compile(pattern, split)
			got := p.Match(name)
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
			if want := reference(pattern, name, split); got != want {
				t.Errorf("separators %v: match is %t, want %t", split, got, want)
			}
			again := compile(p.normal, split)
			if diff := cmp.Diff(p.parts, again.parts); diff != "" {
				t.Errorf("separators %v: the normal form has another (-first +second)\n%s", split, diff)
			}
		}
		if p, err := Parse(pattern); err == nil && (len(p.parts) == 0 || strings.Join(p.parts, "::") != p.normal) {
			t.Errorf("parsed to %q, %q", p.parts, p.normal)
		}
	})
}

// TestMatchIsNotExponential would not end if each ** were tried again after each other.
func TestMatchIsNotExponential(t *testing.T) {
	p := compile(strings.Repeat("**::a::", 40)+"b", doubleColon)
	name := strings.Repeat("a::", 5000)
	start := time.Now()
	if p.Match(name) {
		t.Error("matches a name without its last part")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestInclusionImpliesRank takes all patterns of up to four parts and all names of up to six.
func TestInclusionImpliesRank(t *testing.T) {
	names := sequences([]string{"A", "B", "C"}, 6)
	type row struct {
		p   Pattern
		set []uint64
	}
	var rows []row
	seen := map[string]bool{}
	for _, text := range sequences([]string{"A", "B", one, many}, 4) {
		p := compile(text, doubleColon)
		if text == "" || seen[p.normal] {
			continue
		}
		seen[p.normal] = true
		set := make([]uint64, len(names)/64+1)
		for i, name := range names {
			if p.Match(name) {
				set[i/64] |= 1 << (i % 64)
			}
		}
		rows = append(rows, row{p, set})
	}
	for _, x := range rows {
		for _, y := range rows {
			within, more := true, false
			for i := range x.set {
				within = within && x.set[i]&^y.set[i] == 0
				more = more || y.set[i]&^x.set[i] != 0
			}
			if within && more && x.p.rank.Compare(y.p.rank) <= 0 {
				t.Errorf("%s is within %s but ranks %v, not above %v", x.p.normal, y.p.normal, x.p.rank, y.p.rank)
			}
		}
	}
	if len(rows) < 100 {
		t.Errorf("only %d patterns", len(rows))
	}
}

// sequences is every name of up to n of the parts.
func sequences(parts []string, n int) []string {
	all, last := []string{""}, []string{""}
	for range n {
		var next []string
		for _, head := range last {
			for _, part := range parts {
				next = append(next, head+"::"+part)
			}
		}
		all, last = append(all, next...), next
	}
	return all
}
