package spile

import (
	"context"

	"github.com/spilelog/spile/event"
)

// Null is a [Backend] that takes nothing. A library that logs to it stays silent until its user gives it another.
type Null struct{ *Base }

// NewNull returns a backend of the name null at [LevelOff].
func NewNull() *Null { return &Null{NewBase("null", BaseOptions{Level: LevelOff})} }

// Log does nothing. It is only called after somebody lowered the level.
func (*Null) Log(context.Context, *event.Event) error { return nil }
