package main

import (
	"testing"

	"github.com/spilelog/spile/examples/internal/exampletest"
)

func TestStream(t *testing.T) { exampletest.Stream(t, run) }
