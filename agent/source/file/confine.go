package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// descriptors is where the kernel tells which file a descriptor leads to.
const descriptors = "/proc/self/fd/"

// confine says whether an open file lies where path was allowed. A path is checked before it is opened, but a folder
// of it may become a link in between; where the open file lies is the kernel's word, and nothing can change it to a
// folder that it was not opened from. Links in a glob's base are the administrator's own and are followed, those below
// it are not.
func (s *Set) confine(f *os.File, path string) error {
	// Only the folder counts: the name changes by a rotation, and what is deleted carries a remark behind it.
	lies, err := os.Readlink(descriptors + strconv.Itoa(int(f.Fd())))
	if err != nil {
		return fmt.Errorf("look where it lies: %w", err)
	}
	folder, asked := filepath.Dir(lies), filepath.Dir(path)
	for i := range s.globs {
		if last := s.globs[i].real.Load(); last != nil && s.globs[i].holds(asked, folder, *last) {
			return nil
		}
	}
	for i := range s.globs {
		real, err := filepath.EvalSymlinks(s.globs[i].base)
		if err == nil && s.globs[i].holds(asked, folder, real) {
			s.globs[i].real.Store(&real)
			return nil
		}
	}
	return fmt.Errorf("it lies in %s, out of its folder", folder)
}

// holds says whether the folder is the one that was asked for by its path below the base, which really is at real.
func (g *glob) holds(asked, folder, real string) bool {
	for _, from := range [...]string{g.base, real} {
		if rest, ok := below(asked, from); ok && filepath.Join(real, rest) == folder {
			return true
		}
	}
	return false
}

// below returns the part of path behind folder, empty for the folder itself.
func below(path, folder string) (string, bool) {
	if path == folder {
		return "", true
	}
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(folder, "/")+"/")
	return rest, ok
}
