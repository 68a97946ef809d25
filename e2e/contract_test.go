package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/spec"
	"github.com/spilelog/spile/wire"
)

// contractRow is a row of spec/vectors/streams.json: what lies in the files of some sources, what is asked for, and
// what every client must make of it. An expected frame names the members that count; raw is in base64, and follows says
// that the line follows directly on the one before it, as offsets tell.
type contractRow struct {
	Name   string              `json:"name"`
	Files  map[string][]string `json:"files"`
	Start  map[string]any      `json:"start"`
	Expect []map[string]any    `json:"expect"`
	Error  *contractError      `json:"error"`
}

// contractError is a refusal as a client tells it.
type contractError struct {
	Code    string   `json:"code"`
	Status  int      `json:"status"`
	Details []string `json:"details"`
}

// contractRequest is what a client is asked to do.
type contractRequest struct {
	Server string         `json:"server"`
	Token  string         `json:"token"`
	Start  map[string]any `json:"start"`
}

// contractAnswer is what came of it.
type contractAnswer struct {
	Frames   []map[string]any              `json:"frames"`
	Accounts map[string]wire.AgentAccounts `json:"accounts"`
	Error    *contractError                `json:"error"`
}

// contractClient runs one request.
type contractClient func(context.Context, contractRequest) (contractAnswer, error)

// TestClientContract runs every row with each of the clients against one real server and agent.
func TestClientContract(t *testing.T) {
	rows := contractRows(t)
	f := newFleet(t)
	if err := os.Mkdir(filepath.Join(f.dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	var files []string
	for i := range rows {
		for source, lines := range rows[i].Files {
			path := filepath.Join(f.dir, "logs", source+".log")
			if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, source+"="+path)
		}
	}
	f.startAgent("edge-1", files...)
	clients := map[string]contractClient{
		"go": goContract,
		"js": driven(t, exec.Command("node", "testdata/contract/driver.mjs"), "SPILE_CLIENT="+builtJS(t)),
		"py": driven(t, exec.Command(builtPython(t), "testdata/contract/driver.py")),
	}
	for name, run := range clients {
		t.Run(name, func(t *testing.T) {
			for i := range rows {
				t.Run(rows[i].Name, func(t *testing.T) {
					answer, err := run(t.Context(), contractRequest{f.url(), f.token(), asked(&rows[i])})
					if err != nil {
						t.Fatal(err)
					}
					rows[i].hold(t, &answer)
				})
			}
		})
	}
}

// contractRows reads the rows.
func contractRows(t *testing.T) []contractRow {
	t.Helper()
	data, err := spec.Vectors("streams")
	if err != nil {
		t.Fatal(err)
	}
	var rows []contractRow
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// asked is what a row asks for: of the one agent, from the beginning of its own files, unless it says otherwise.
func asked(row *contractRow) map[string]any {
	start := map[string]any{"agent_id": "edge-1", "tail": 100}
	for key, value := range row.Start {
		start[key] = value
	}
	filters := map[string]any{"source": row.Name}
	own, _ := row.Start["filters"].(map[string]any)
	for key, value := range own {
		filters[key] = value
	}
	start["filters"] = filters
	return start
}

// hold compares an answer with what a row expects.
func (row *contractRow) hold(t *testing.T, answer *contractAnswer) {
	t.Helper()
	if diff := cmp.Diff(row.Error, answer.Error); diff != "" {
		t.Fatal(diff)
	}
	if row.Error != nil {
		return
	}
	if len(answer.Frames) != len(row.Expect) {
		t.Fatalf("%d frames, want %d: %v", len(answer.Frames), len(row.Expect), answer.Frames)
	}
	end := any(nil)
	for i, want := range row.Expect {
		if metadata, ok := answer.Frames[i]["metadata"].(map[string]any); ok {
			answer.Frames[i]["follows"] = end != nil && metadata["offset"] == end
			end = metadata["end_offset"]
			// Where a line lies is another matter on each machine.
			for _, origin := range []string{"host", "file", "offset", "end_offset", "line"} {
				delete(metadata, origin)
			}
		}
		for key, value := range want {
			if diff := cmp.Diff(value, answer.Frames[i][key]); diff != "" {
				t.Errorf("frame %d, %s: %s", i, key, diff)
			}
		}
	}
	for _, a := range answer.Accounts {
		sum := a.Filtered + a.Sampled + a.RedactedAway + a.Sent + a.Pending
		for _, n := range a.Dropped {
			sum += n
		}
		if a.Seen != sum || a.Sent != uint64(len(row.Expect)) {
			t.Errorf("the accounts do not close over %d sent: %+v", len(row.Expect), a)
		}
	}
	if len(answer.Accounts) != 1 {
		t.Errorf("accounts of %d agents, want those of one", len(answer.Accounts))
	}
}

// goContract is our own client.
func goContract(ctx context.Context, r contractRequest) (contractAnswer, error) {
	var answer contractAnswer
	var request wire.StartRequest
	data, err := json.Marshal(r.Start)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(data, &request); err != nil {
		return answer, err
	}
	c, err := client.New(client.Options{BaseURL: r.Server, Token: r.Token})
	if err != nil {
		return answer, err
	}
	started, err := c.Start(ctx, request)
	if refused := (*wire.Error)(nil); errors.As(err, &refused) {
		answer.Error = &contractError{Code: string(refused.Code), Status: refused.Code.Status(), Details: []string{}}
		for field := range refused.Details {
			answer.Error.Details = append(answer.Error.Details, field)
		}
		return answer, nil
	}
	if err != nil {
		return answer, err
	}
	stream, err := c.Stream(ctx, started.Session.ID, client.StreamOptions{AllEvents: true})
	if err != nil {
		return answer, err
	}
	defer stream.Close()
	for {
		frame, err := stream.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return answer, nil
		case err != nil:
			return answer, err
		case frame.Log != nil:
			one, err := flat(&frame)
			if err != nil {
				return answer, err
			}
			answer.Frames = append(answer.Frames, one)
		case frame.Control.Event == wire.EventHistoryEnd:
			if _, err := c.Stop(ctx, started.Session.ID); err != nil {
				return answer, err
			}
		case frame.Control.Event == wire.EventSessionEnded:
			answer.Accounts = frame.Control.Accounts.Agents
		}
	}
}

// flat is a log frame as the other clients tell it.
func flat(f *client.Frame) (map[string]any, error) {
	var one map[string]any
	if err := json.Unmarshal(f.Line, &one); err != nil {
		return nil, err
	}
	one["context"] = f.Log.Context
	if f.Log.Raw != nil {
		one["raw"] = base64.StdEncoding.EncodeToString([]byte(*f.Log.Raw))
	}
	return one, nil
}

// driven is a client in a process of its own, that takes a request a line and gives an answer a line.
func driven(t *testing.T, cmd *exec.Cmd, env ...string) contractClient {
	t.Helper()
	cmd.Env = append(os.Environ(), env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &output{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("%s: %v\n%s", cmd.Path, err, said)
		}
	})
	answers := json.NewDecoder(bufio.NewReader(out))
	return func(_ context.Context, r contractRequest) (contractAnswer, error) {
		var answer contractAnswer
		if err := json.NewEncoder(in).Encode(r); err != nil {
			return answer, err
		}
		return answer, answers.Decode(&answer)
	}
}

// builtJS builds the TypeScript client and is the path of its module.
func builtJS(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../clients/js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		setUp(t, dir, "npm", "ci", "--no-audit", "--no-fund")
	}
	setUp(t, dir, "npm", "run", "--silent", "build")
	return filepath.Join(dir, "dist", "index.js")
}

// builtPython installs the Python client and is the path of the interpreter that has it.
func builtPython(t *testing.T) string {
	t.Helper()
	setUp(t, "..", "ci/venv.sh")
	path, err := filepath.Abs("../bin/venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// setUp runs a command that prepares a client.
func setUp(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if strings.Contains(name, "/") {
		cmd.Path = filepath.Join(dir, name)
		cmd.Path, _ = filepath.Abs(cmd.Path)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", slices.Concat([]string{name}, args), err, out)
	}
}
