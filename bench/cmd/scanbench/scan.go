package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/spilelog/spile/filter"
	"github.com/spilelog/spile/internal/parse"
	"github.com/spilelog/spile/wire"
)

// blockBytes is how much the agent reads at once.
const blockBytes = 1 << 20

// The patterns that are searched for.
const (
	literalText  = "user_id=12345"
	alternatives = "timed out|deadlock detected|connection refused"
	folded       = "(?i)timed out"
	suffix       = `user_id=1234[0-9]\b`
	status       = `" (5[0-9][0-9]) ([0-9]+) "`
)

// The names of measurements that others are compared with.
const (
	nameTail   = "nxadm/tail + strings.Contains"
	nameOtel   = "otel filelog receiver + filter"
	nameRegexp = "regexp per line, three alternatives"
)

// measurements is the table of what is measured: path is the log, peerPath the smaller one of the peers.
func measurements(path, peerPath string) ([]measurement, error) {
	all := []measurement{
		{name: "bare read", path: path, run: bareRead},
		{name: "level counting at idle", path: path, run: countLevels, goal: 1000},
	}
	for _, scan := range []struct {
		name, pattern string
		goal, ratio   float64
		against       []string
	}{
		{"literal " + literalText, literalText, 1500, 20, []string{nameTail, nameOtel}},
		{"three alternatives", alternatives, 300, 0, []string{nameRegexp}},
		{folded, folded, 0, 0, []string{nameRegexp}},
		{suffix, suffix, 0, 0, nil},
		{status, status, 0, 0, nil},
	} {
		run, err := agentPath(scan.pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, measurement{
			name: scan.name, path: path, run: run, goal: scan.goal, ratio: scan.ratio,
			against: scan.against,
		})
	}
	return append(all,
		measurement{name: nameRegexp, path: peerPath, run: regexpPerLine},
		measurement{name: nameTail, path: peerPath, run: tailContains},
		measurement{name: nameOtel, path: peerPath, run: otelFilelog},
	), nil
}

// eachBlock reads the file in blocks of whole lines; use must not keep them.
func eachBlock(path string, use func(block []byte)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, 2*blockBytes)
	held := 0
	for {
		if held == len(buf) {
			return errors.New("a line is longer than the buffer")
		}
		n, err := f.Read(buf[held:min(held+blockBytes, len(buf))])
		held += n
		if err == io.EOF {
			if held > 0 {
				use(buf[:held])
			}
			return nil
		}
		if err != nil {
			return err
		}
		end := bytes.LastIndexByte(buf[:held], '\n') + 1
		use(buf[:end])
		held = copy(buf, buf[end:held])
	}
}

// bareRead reads the file and nothing else.
func bareRead(_ context.Context, path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, blockBytes)
	for {
		if _, err := f.Read(buf); err == io.EOF {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// agentPath reads, counts the lines and filters as the agent does for a session.
func agentPath(pattern string) (func(context.Context, string) (int, error), error) {
	m, err := filter.Compile(wire.Filters{Pattern: pattern})
	if err != nil {
		return nil, fmt.Errorf("compile pattern: %w", err)
	}
	return func(_ context.Context, path string) (int, error) {
		seen, passed := 0, 0
		err := eachBlock(path, func(block []byte) {
			seen += bytes.Count(block, []byte{'\n'})
			m.Candidates(block, func(start, end int) bool {
				if m.Pattern(bytes.TrimSuffix(block[start:end], []byte{'\r'})) {
					passed++
				}
				return true
			})
		})
		if passed > seen {
			return 0, fmt.Errorf("%d lines passed of %d", passed, seen)
		}
		return passed, err
	}, nil
}

// countLevels reads and counts levels as an agent without sessions does.
func countLevels(_ context.Context, path string) (int, error) {
	var counter parse.Counter
	err := eachBlock(path, counter.Count)
	return int(counter.Lines), err
}

// regexpPerLine cuts lines and asks the standard library for each.
func regexpPerLine(_ context.Context, path string) (int, error) {
	re := regexp.MustCompile(alternatives)
	passed := 0
	err := eachBlock(path, func(block []byte) {
		for line := range bytes.Lines(block) {
			if re.Match(bytes.TrimSuffix(line, []byte{'\n'})) {
				passed++
			}
		}
	})
	return passed, err
}
