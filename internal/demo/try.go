package demo

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spilelog/spile/wire"
)

// programName is what the program is called on a PATH.
const programName = "spile"

// try is what a person may paste.
type try struct {
	// executable is the program as a shell takes it.
	executable string
	server     string
	tokenFile  string
	logs       string
	files      []string
}

// render is the text that the demonstration begins with.
func (t try) render(login string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "A server and one agent, %q, are running at %s.\n", agentName, t.server)
	fmt.Fprintf(&b, "The agent follows the logs of a small shop in %s", t.logs)
	if len(t.files) > 0 {
		fmt.Fprintf(&b, " and %s", strings.Join(t.files, ", "))
	}
	b.WriteString(".\nNo line leaves it until somebody asks.\n\n")
	fmt.Fprintf(&b, "The page (this login works once; press Enter for another):\n  %s\n\n", login)
	fmt.Fprintf(&b, "Watch it, in another terminal:\n  %s\n  %s\n\n", t.tail("--min-level", "warning"),
		t.tail("--source", "nginx", "--pattern", "checkout|cart", "-n", "20"))
	fmt.Fprintf(&b, "The same with curl alone:\n  %s\n\n", t.curl())
	b.WriteString("Ctrl-C ends everything and removes the folder.\n")
	return b.String()
}

// tail is a call of spile tail.
func (t try) tail(args ...string) string {
	words := append([]string{"tail", agentName}, args...)
	words = append(words, "--server", t.server, "--token-file", t.tokenFile)
	for i := range words {
		words[i] = quote(words[i])
	}
	return t.executable + " " + strings.Join(words, " ")
}

// curl starts a session and reads its stream, in one line that a POSIX shell takes.
func (t try) curl() string {
	auth := `-H "Authorization: Bearer $(cat ` + quote(t.tokenFile) + `)"`
	start := "curl -sS " + auth + " -H 'Content-Type: application/json' -d '" +
		`{"agent_id":"` + agentName + `","filters":{"level":["ERROR","WARN"]}}` + "' " +
		quote(t.server+wire.BasePath+"/stream/start") +
		` | sed -n 's/.*"session_id": *"\([^"]*\)".*/\1/p'`
	return "curl -sSN " + auth + ` "` + t.server + wire.BasePath + "/stream/ndjson/$(" + start + `)"`
}

// command is how a shell finds the program at path: its bare name when that is what PATH leads to.
func command(path string) string {
	found, err := exec.LookPath(programName)
	if err != nil {
		return quote(path)
	}
	here, errHere := os.Stat(path)
	there, errThere := os.Stat(found)
	if errHere == nil && errThere == nil && os.SameFile(here, there) {
		return programName
	}
	return quote(path)
}

// plain are the characters that a shell takes as they are.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@+%"

// quote is word as a POSIX shell reads it back.
func quote(word string) string {
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
