// Package ui holds the web page that the server serves. The files in dist are embedded as they are: plain HTML,
// style and script, which need nothing from elsewhere and no inline code, so that a strict content security policy
// holds.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed dist
var dist embed.FS

// Files is the page: index.html at the root, and beside it what it refers to.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("ui: " + err.Error()) // the name is a constant and the folder is embedded
	}
	return files
}
