//go:build !unix

package spile

import "os"

// openFlags are none: links are refused by looking.
const openFlags = 0

// reopenSignals are none: nobody sends one here.
func reopenSignals() []os.Signal { return nil }
