package file

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/agent/source"
)

func TestShelf(t *testing.T) {
	all := []source.Position{
		{Source: "app", Path: "/b", Inode: 5, Offset: 1},
		{Source: "app", Path: "/a", Inode: 6, Device: 7, Offset: 2, Over: true},
		{Source: "other", Path: "/a", Inode: 7, Offset: 3},
		{Source: "app", Path: "/b", Inode: 4, Offset: 4},
		{Source: "other", Path: "/c", Inode: 8},
	}
	given := slices.Clone(all)
	s := newShelf(all, func(name string) bool { return name == "app" })
	if diff := cmp.Diff([]string{"/a", "/b"}, slices.Collect(s.paths())); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string][]source.Position{
		"/a": {{Source: "app", Path: "/a", Offset: 2}},
		"/b": {all[0], all[3]},
		"/c": nil,
		"":   nil,
		"/d": nil,
	} {
		if diff := cmp.Diff(want, append([]source.Position(nil), s.of(path)...)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if diff := cmp.Diff(given, all); diff != "" {
		t.Errorf("the caller's positions were changed: %s", diff)
	}
}

// TestResumeOfManyKeepsLittle wants of very many quiet files no more than a fresh reader keeps of them.
func TestResumeOfManyKeepsLittle(t *testing.T) {
	const files = 6
	r := &rig{t: t, dir: t.TempDir(), maxOpen: 2}
	for i := range files {
		r.write(fmt.Sprintf("app%d.log", i), numbered(0, 10))
	}
	r.start("*.log")
	rd := r.open(source.Start{})
	at := slices.Collect(rd.Positions())
	_ = rd.Close()
	rd = r.open(source.Start{Resume: at})
	many := rd.(*reader)
	if len(many.lanes) > 0 || len(many.resting) != files || many.start.Resume != nil {
		t.Errorf("%d lanes, %d files rest, %d positions are kept", len(many.lanes), len(many.resting),
			len(many.start.Resume))
	}
	for i := range files {
		r.write(fmt.Sprintf("app%d.log", i), "one more\n")
	}
	var k taken
	collect(t, rd, &k, func(k *taken) bool { return len(k.lines) >= files })
	if slices.ContainsFunc(k.lines, func(line string) bool { return line != "one more" }) || len(k.gaps) > 0 {
		t.Errorf("lines %q, gaps %+v", k.lines, k.gaps)
	}
}
