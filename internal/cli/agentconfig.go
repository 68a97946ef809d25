package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/spilelog/spile/wire"
)

// agentFile is the configuration file of spile agent; the keys are the flags' names.
type agentFile struct {
	Server         string            `yaml:"server"`
	EnrolTokenFile string            `yaml:"enrol_token_file"`
	Data           string            `yaml:"data"`
	Name           string            `yaml:"name"`
	Labels         map[string]string `yaml:"labels"`
	Files          []fileEntry       `yaml:"files"`
	MaxSession     yamlDuration      `yaml:"max_session"`
	MaxRate        int               `yaml:"max_rate"`
}

// fileEntry is one entry of files: source and glob, or [source=]glob in one text.
type fileEntry struct {
	Source string `yaml:"source"`
	Glob   string `yaml:"glob"`
}

// UnmarshalYAML reads either form.
func (e *fileEntry) UnmarshalYAML(node ast.Node) error {
	if text, ok := node.(*ast.StringNode); ok {
		entry, err := parseFileEntry(text.Value)
		if err != nil {
			return at(node, "%v", err)
		}
		*e = entry
		return nil
	}
	// The plain type has no method, so that this is not called again.
	type plain fileEntry
	if err := yaml.NodeToValue(node, (*plain)(e), yaml.Strict()); err != nil {
		return err
	}
	if e.Glob == "" {
		return at(node, "an entry of files must have a glob")
	}
	return nil
}

// yamlDuration is a length of time in the file: a Go duration or a number of seconds.
type yamlDuration time.Duration

// UnmarshalYAML reads either form.
func (d *yamlDuration) UnmarshalYAML(node ast.Node) error {
	text := node.GetToken().Value
	if s, ok := node.(*ast.StringNode); ok {
		text = s.Value
	}
	parsed, err := parseSeconds(text)
	if err != nil {
		return at(node, "%v", err)
	}
	*d = yamlDuration(parsed)
	return nil
}

// at is an error at the place of a node.
func at(node ast.Node, format string, args ...any) error {
	return &yaml.SyntaxError{Message: fmt.Sprintf(format, args...), Token: node.GetToken()}
}

// readAgentFile reads a configuration file. Unknown keys and wrong types are errors with line and column.
func readAgentFile(path string) (agentFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return agentFile{}, usageError("", "read configuration: %w", err)
	}
	cfg, err := parseAgentFile(data)
	if err != nil {
		return cfg, usageError("", "%s:%s", path, strings.TrimRight(err.Error(), "\n"))
	}
	folder := filepath.Dir(path)
	for i := range cfg.Files {
		cfg.Files[i].Glob = absolute(folder, cfg.Files[i].Glob)
	}
	cfg.Data, cfg.EnrolTokenFile = absolute(folder, cfg.Data), absolute(folder, cfg.EnrolTokenFile)
	return cfg, nil
}

// parseAgentFile reads the text of a configuration file.
func parseAgentFile(data []byte) (agentFile, error) {
	var cfg agentFile
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	err := dec.Decode(&cfg)
	if errors.Is(err, io.EOF) {
		return cfg, nil
	}
	if err == nil {
		if err := dec.Decode(new(agentFile)); !errors.Is(err, io.EOF) {
			return cfg, errors.New(" must hold one document")
		}
		return cfg, nil
	}
	var placed yaml.Error
	if errors.As(err, &placed) && placed.GetToken() != nil {
		pos := placed.GetToken().Position
		return cfg, fmt.Errorf("%d:%d: %s", pos.Line, pos.Column, yamlMessage(placed))
	}
	return cfg, errors.New(" " + yaml.FormatError(err, false, false))
}

// yamlMessage is what is wrong, in words of the file rather than of Go.
func yamlMessage(err yaml.Error) string {
	wrong, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return err.GetMessage()
	}
	field := "value"
	if name := wrong.StructFieldName; name != nil {
		field = snake((*name)[strings.LastIndexByte(*name, '.')+1:])
	}
	return fmt.Sprintf("%s must be %s, not %s", field, yamlKind(wrong.DstType), yamlKind(wrong.SrcType))
}

// yamlKind names what a file has where Go has this type.
func yamlKind(t reflect.Type) string {
	if t == nil {
		return "empty"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a map"
	case reflect.Float32, reflect.Float64:
		return "a fraction"
	default:
		return "a whole number"
	}
}

// snake is a Go name as the file writes it.
func snake(name string) string {
	var out strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// absolute is path, taken from folder unless it is empty or absolute.
func absolute(folder, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// sourceName is what a name before the = of an entry looks like.
var sourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// parseFileEntry reads [source=]glob.
func parseFileEntry(text string) (fileEntry, error) {
	entry := fileEntry{Glob: text}
	if name, glob, ok := strings.Cut(text, "="); ok && sourceName.MatchString(name) {
		entry = fileEntry{Source: name, Glob: glob}
	}
	if entry.Glob == "" {
		return entry, fmt.Errorf("%q must be a glob or source=glob", text)
	}
	return entry, nil
}

// parseLabels reads a list of key=value.
func parseLabels(list []string) (map[string]string, error) {
	labels := make(map[string]string, len(list))
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, wire.Invalid("label", "%q must be key=value", text)
		}
		if _, twice := labels[key]; twice {
			return nil, wire.Invalid("label", "%q is given twice", key)
		}
		labels[key] = value
	}
	return labels, nil
}
