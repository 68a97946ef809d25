package spec

import (
	"embed"
	"fmt"
)

// vectorFiles stands apart from files, so that a program which never asks for vectors does not carry them.
//
//go:embed vectors/*.json
var vectorFiles embed.FS

// Vectors is the file of test vectors of that name, without folder and ending: "events". A file is a JSON array with
// one vector per line; every vector has a unique name that serves as the name of a subtest.
func Vectors(name string) ([]byte, error) {
	data, err := vectorFiles.ReadFile("vectors/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("read vectors %q: %w", name, err)
	}
	return data, nil
}
