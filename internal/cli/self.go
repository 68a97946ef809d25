package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// self is how a shell calls this program: its name where the path finds the same file, else its whole path.
func self() string {
	exe, err := os.Executable()
	if err != nil {
		return "spile"
	}
	name := filepath.Base(exe)
	if found, err := exec.LookPath(name); err == nil && sameFile(found, exe) {
		return shellWord(name)
	}
	return shellWord(exe)
}

// sameFile says whether two paths lead to one file.
func sameFile(a, b string) bool {
	aInfo, aErr := os.Stat(a)
	bInfo, bErr := os.Stat(b)
	return aErr == nil && bErr == nil && os.SameFile(aInfo, bInfo)
}

// shellWord is text as one word of a POSIX shell.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/:=@%+,", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
