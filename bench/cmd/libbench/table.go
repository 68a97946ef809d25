package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// goal is what a measurement is to reach.
type goal struct {
	// what and who are the measurement that it is compared with; who alone is one of the same kind.
	what, who string
	// most is the highest ratio of the processor times; 0 only shows it.
	most float64
	// allocs allows no more allocations than the other has; none allows none at all.
	allocs, none bool
	// delivered requires that so large a part of the records reached the viewers.
	delivered float64
}

// allocNoise is the allocations a call that the runtime itself may make during a measurement.
const allocNoise = 0.01

// printTable prints a row for each measurement, and says how many goals were missed.
func printTable(out io.Writer, all []measurement) (int, error) {
	results := map[[2]string]result{}
	for i := range all {
		results[[2]string{all[i].what, all[i].who}] = all[i].best
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\twho\tCPU ns\twall ns\tallocs\tgoal\t")
	missed := 0
	for i := range all {
		m := &all[i]
		var verdicts []string
		for _, g := range m.goals {
			if g.what == "" {
				g.what = m.what
			}
			peer, ok := results[[2]string{g.what, g.who}]
			if !ok && g.who != "" {
				return missed, fmt.Errorf("compare %s of %s: there is no %s of %s", m.what, m.who, g.what, g.who)
			}
			verdicts = append(verdicts, g.judge(&m.best, &peer, &missed)...)
		}
		if a := m.best.account; a.dropped > 0 {
			verdicts = append(verdicts, fmt.Sprintf("%.2f %% dropped",
				100*float64(a.dropped)/float64(a.dropped+a.delivered)))
		}
		fmt.Fprintf(table, "%s\t%s\t%.1f\t%.1f\t%.2f\t%s\t\n", m.what, m.who, m.best.ns, m.best.wall, m.best.allocs,
			strings.Join(verdicts, "; "))
	}
	return missed, table.Flush()
}

// judge says how r does beside its peer.
func (g *goal) judge(r, peer *result, missed *int) []string {
	var verdicts []string
	if g.who != "" {
		times := r.ns / peer.ns
		verdict := fmt.Sprintf("%.2f × %s", times, g.who)
		if g.most > 0 {
			verdict += fmt.Sprintf(" (≤ %.2f: %s)", g.most, word(times <= g.most, missed))
		}
		verdicts = append(verdicts, verdict)
	}
	if g.allocs {
		verdicts = append(verdicts, "no more allocs: "+word(r.allocs <= peer.allocs+allocNoise, missed))
	}
	if g.none {
		verdicts = append(verdicts, "no allocs: "+word(r.allocs <= allocNoise, missed))
	}
	if g.delivered > 0 {
		sum := float64(r.account.delivered + r.account.dropped)
		verdicts = append(verdicts, fmt.Sprintf("≥ %.0f %% delivered: %s", 100*g.delivered,
			word(float64(r.account.delivered) >= g.delivered*sum, missed)))
	}
	return verdicts
}

// word says whether a goal was reached, and counts it if not.
func word(reached bool, missed *int) string {
	if reached {
		return "reached"
	}
	*missed++
	return "MISSED"
}
