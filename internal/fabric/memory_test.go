package fabric_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/internal/fabric/fabrictest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMemory runs the conformance kit.
func TestMemory(t *testing.T) {
	fabrictest.Run(t, func(*testing.T) fabric.Fabric { return fabric.NewMemory() })
}
