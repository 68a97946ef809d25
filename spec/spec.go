// Package spec holds the contracts that are not Go: the OpenAPI document of the REST calls and the JSON schemas of the
// frames. The server serves the first; the tests of every language hold both against what is really sent.
package spec

import (
	"embed"
	"fmt"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml frames.schema.json
var files embed.FS

// OpenAPI is the OpenAPI 3.1 document in JSON.
func OpenAPI() ([]byte, error) {
	text, err := files.ReadFile("openapi.yaml")
	if err != nil {
		return nil, fmt.Errorf("read openapi document: %w", err)
	}
	document, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("convert openapi document: %w", err)
	}
	return document, nil
}

// FrameSchema is the JSON schema (2020-12) of one frame of a stream.
func FrameSchema() ([]byte, error) {
	schema, err := files.ReadFile("frames.schema.json")
	if err != nil {
		return nil, fmt.Errorf("read frame schema: %w", err)
	}
	return schema, nil
}
