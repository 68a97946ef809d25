package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// whole is a whole number on the command line.
type whole[T int | uint64] struct {
	to *T
	// most is the largest that is allowed, 0 for no limit.
	most uint64
}

// String is the number.
func (w whole[T]) String() string { return fmt.Sprint(*w.to) }

// Set reads the number.
func (w whole[T]) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, strconv.IntSize-1)
	if err != nil || w.most > 0 && n > w.most {
		return fmt.Errorf("%q must be %s", text, w.allowed())
	}
	*w.to = T(n)
	return nil
}

// Type names the form in help texts.
func (w whole[T]) Type() string { return "number" }

// allowed says which values are.
func (w whole[T]) allowed() string {
	if w.most == 0 {
		return "a whole number, 0 or more"
	}
	return fmt.Sprintf("a whole number from 0 to %d", w.most)
}

// rate is a number of lines a second on the command line, more than none.
type rate struct {
	to   *float64
	most float64
}

// String is the rate.
func (r rate) String() string { return strconv.FormatFloat(*r.to, 'f', -1, 64) }

// Set reads a rate.
func (r rate) Set(text string) error {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n <= r.most) {
		return fmt.Errorf("%q must be %s", text, r.allowed())
	}
	*r.to = n
	return nil
}

// Type names the form in help texts.
func (r rate) Type() string { return "number" }

// allowed says which values are.
func (r rate) allowed() string {
	return "a number of more than 0 and at most " + strconv.FormatFloat(r.most, 'f', -1, 64)
}

// within is a length of time on the command line that has bounds.
type within struct {
	*seconds
	least, most time.Duration
}

// Set reads a length.
func (w within) Set(text string) error {
	d, err := parseSeconds(text)
	if err != nil || d < w.least || d > w.most {
		return fmt.Errorf("%q must be %s", text, w.allowed())
	}
	*w.seconds = seconds(d)
	return nil
}

// allowed says which values are.
func (w within) allowed() string {
	bounds := "of at most " + short(w.most)
	if w.least > 0 {
		bounds = "from " + short(w.least) + " to " + short(w.most)
	}
	return "a length of time " + bounds + ", such as 90s or a number of seconds"
}

// anyLength says which lengths of time are allowed where none is too long.
const anyLength = "a length of time such as 90s, 10m, 1h30m or a number of seconds"

// short is a length as people write it, without parts that are none: 1h instead of 1h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// parseSeconds reads a Go duration or a bare number of seconds. It must be more than zero.
func parseSeconds(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, numErr := strconv.ParseFloat(text, 64); numErr == nil {
		err = nil
		// What does not fit, and what is no number, stays zero and is refused.
		if n > 0 && n < float64(math.MaxInt64/time.Second) {
			d = time.Duration(n * float64(time.Second))
		}
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q must be %s", text, anyLength)
	}
	return d, nil
}

// flagError is what is told of a flag that cannot be read: its name, what was wrong, what is allowed.
func flagError(cmd *cobra.Command, err error) error {
	hint := "see " + cmd.CommandPath() + " --help"
	if missing := (*pflag.ValueRequiredError)(nil); errors.As(err, &missing) {
		if bounds, ok := missing.GetFlag().Value.(interface{ allowed() string }); ok {
			return usageError(hint, "--%s: needs a value: %s", missing.GetFlag().Name, bounds.allowed())
		}
	}
	if invalid := (*pflag.InvalidValueError)(nil); errors.As(err, &invalid) {
		return usageError(hint, "--%s: %w", invalid.GetFlag().Name, wrongValue(invalid))
	}
	return usageError(hint, "%w", err)
}

// wrongValue says what is wrong with a value. The errors of our own values say it; that of a switch is the library's.
func wrongValue(invalid *pflag.InvalidValueError) error {
	if invalid.GetFlag().Value.Type() == "bool" {
		return fmt.Errorf("%q must be true or false", invalid.GetValue())
	}
	return invalid.Unwrap()
}
