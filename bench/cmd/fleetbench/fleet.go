package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spilelog/spile/bench/fleet"
)

// startLimit bounds how long the agent may take to be online.
const startLimit = 20 * time.Second

// follower is a fleet whose agent follows one file.
type follower struct {
	*fleet.Fleet
	log string
}

// newFollower starts one.
func newFollower(spile string) (*follower, error) {
	one, err := fleet.New(spile, "")
	if err != nil {
		return nil, err
	}
	f := &follower{Fleet: one, log: filepath.Join(one.Dir, "app.log")}
	if err = os.WriteFile(f.log, nil, 0o644); err == nil {
		_, err = f.StartAgent(f.log, startLimit)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
