package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"
)

// deployed reads a file that people take to run Spile as a service.
func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// variables are the environment variables that a command reads.
func variables(t *testing.T, words ...string) []string {
	t.Helper()
	a := &app{Surroundings: Surroundings{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}}
	cmd, _, err := a.root().Find(words)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { all = append(all, f.Annotations[envKey]...) })
	if strings.Contains(cmd.Long, "SPILE_ENROL_TOKEN") {
		all = append(all, "SPILE_ENROL_TOKEN")
	}
	return all
}

var (
	unitStart    = regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/spile (.+)$`)
	unitFile     = regexp.MustCompile(`(?m)^EnvironmentFile=-?/etc/spile/(.+)$`)
	unitVariable = regexp.MustCompile(`(?m)^(?:Environment=)?#? ?(SPILE_[A-Z_]+)=`)
)

func TestUnitsNameWhatExists(t *testing.T) {
	for _, unit := range []string{"spile-agent.service", "spile-server.service"} {
		text := deployed(t, "systemd/"+unit)
		starts, files := unitStart.FindStringSubmatch(text), unitFile.FindStringSubmatch(text)
		if starts == nil || files == nil {
			t.Fatalf("%s starts nothing, or reads no file", unit)
		}
		words := strings.Fields(starts[1])
		if problem := misuse(words); problem != "" {
			t.Errorf("%s: %s", unit, problem)
		}
		known := variables(t, words...)
		named := unitVariable.FindAllStringSubmatch(text+deployed(t, "systemd/"+files[1]), -1)
		if len(named) < 3 {
			t.Errorf("%s: only %q are set", unit, named)
		}
		for _, match := range named {
			if !slices.Contains(known, match[1]) {
				t.Errorf("%s: no variable %s, only %q", unit, match[1], known)
			}
		}
	}
	cfg, err := readAgentFile(filepath.Join(repository, "deploy/systemd/agent.yaml"))
	if err != nil || len(cfg.Files) == 0 || cfg.Server == "" {
		t.Errorf("%+v %v", cfg, err)
	}
	// What is commented out is right as well.
	whole := strings.ReplaceAll(deployed(t, "systemd/agent.yaml"), "# max_", "max_")
	if cfg, err := parseAgentFile([]byte(whole)); err != nil || cfg.MaxSession == 0 || cfg.MaxRate == 0 {
		t.Errorf("%+v %v", cfg, err)
	}
}

// workload is what the examples for Kubernetes have of a Deployment or a DaemonSet.
type workload struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Spec struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"selector"`
		Template struct {
			Metadata struct {
				Labels map[string]string `yaml:"labels"`
			} `yaml:"metadata"`
			Spec struct {
				Containers []container `yaml:"containers"`
				Volumes    []named     `yaml:"volumes"`
			} `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

type container struct {
	Args         []string `yaml:"args"`
	Env          []named  `yaml:"env"`
	VolumeMounts []named  `yaml:"volumeMounts"`
}

type named struct {
	Name string `yaml:"name"`
}

func TestManifestsNameWhatExists(t *testing.T) {
	found := map[string]int{}
	for _, file := range []string{"kubernetes/server.yaml", "kubernetes/agent.yaml"} {
		decoder := yaml.NewDecoder(bytes.NewReader([]byte(deployed(t, file))))
		for {
			var one workload
			err := decoder.Decode(&one)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			found[one.Kind]++
			if one.Kind != "Deployment" && one.Kind != "DaemonSet" {
				continue
			}
			checkWorkload(t, &one)
		}
	}
	for _, kind := range []string{"Namespace", "PersistentVolumeClaim", "Deployment", "Service", "DaemonSet"} {
		if found[kind] != 1 {
			t.Errorf("%d times %s", found[kind], kind)
		}
	}
}

// checkWorkload holds one workload against the command line and against itself.
func checkWorkload(t *testing.T, one *workload) {
	t.Helper()
	for key, value := range one.Spec.Selector.MatchLabels {
		if one.Spec.Template.Metadata.Labels[key] != value {
			t.Errorf("%s selects %s=%s, which its pods do not have", one.Kind, key, value)
		}
	}
	if len(one.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("%s has %d containers", one.Kind, len(one.Spec.Template.Spec.Containers))
	}
	c := one.Spec.Template.Spec.Containers[0]
	if problem := misuse(c.Args); problem != "" || len(c.Args) == 0 {
		t.Errorf("%s: %q: %s", one.Kind, c.Args, problem)
	}
	known := variables(t, c.Args...)
	for _, variable := range c.Env {
		if !slices.Contains(known, variable.Name) {
			t.Errorf("%s: no variable %s, only %q", one.Kind, variable.Name, known)
		}
	}
	if len(c.Env) < 3 || len(c.VolumeMounts) == 0 {
		t.Errorf("%s: %+v", one.Kind, c)
	}
	for _, mount := range c.VolumeMounts {
		if !slices.Contains(one.Spec.Template.Spec.Volumes, mount) {
			t.Errorf("%s mounts %s, which is no volume", one.Kind, mount.Name)
		}
	}
}
