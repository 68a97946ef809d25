package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spilelog/spile/agent/source/file"
)

// maxPorts is how many ports are tried after a taken one.
const maxPorts = 100

// address is where the server shall listen: the address asked for, or the next free port after it, which is told.
func (d *demo) address(ctx context.Context) (string, error) {
	host, text, err := net.SplitHostPort(d.cfg.Listen)
	if err != nil {
		return "", fmt.Errorf("read listen address: %w", err)
	}
	first, err := strconv.Atoi(text)
	if err != nil || first < 0 || first > 65535 {
		return "", fmt.Errorf("read listen address %q: port must be 0 to 65535", d.cfg.Listen)
	}
	if first == 0 {
		return d.cfg.Listen, nil
	}
	var probe net.ListenConfig
	for port := first; port < first+maxPorts && port <= 65535; port++ {
		address := net.JoinHostPort(host, strconv.Itoa(port))
		l, err := probe.Listen(ctx, "tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("try listen address: %w", err)
		}
		if err := l.Close(); err != nil {
			return "", fmt.Errorf("try listen address: %w", err)
		}
		if port != first {
			fmt.Fprintf(d.cfg.Stderr, "port %d is taken, using %d\n", first, port)
		}
		return address, nil
	}
	return "", fmt.Errorf("find free port: %d to %d are all taken", first, min(first+maxPorts-1, 65535))
}

// globSigns are the characters that have a meaning in a glob.
const globSigns = `*?[]{}\`

// fileSpecs makes what the caller named absolute. A name that exists is that file whatever its characters mean; any
// other must be a glob, since a file that does not exist is more likely a slip than a log of the future.
func fileSpecs(names []string) ([]file.Spec, error) {
	var specs []file.Spec
	for _, name := range names {
		path, err := filepath.Abs(name)
		if err != nil {
			return nil, fmt.Errorf("read name of file %q: %w", name, err)
		}
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			return nil, fmt.Errorf("follow %q: is a folder, name its files, such as '%s'", name, filepath.Join(name, "*.log"))
		case err == nil:
			path = escapeGlob(path)
		case !strings.ContainsAny(path, globSigns):
			return nil, fmt.Errorf("follow file: %w", err)
		}
		specs = append(specs, file.Spec{Glob: path})
	}
	return specs, nil
}

// escapeGlob makes each character of path stand for itself.
func escapeGlob(path string) string {
	var b strings.Builder
	for _, r := range path {
		if strings.ContainsRune(globSigns, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
