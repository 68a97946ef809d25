package spec_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// update writes the page anew instead of comparing it.
var update = flag.Bool("update", false, "write docs/api.md")

// apiPage is the page that is made from the document, as this package's tests see it.
const apiPage = "../docs/api.md"

// node is a mapping of the document in its order.
type node yaml.MapSlice

// get is the mapping of a key, empty if there is none.
func (n node) get(key string) node {
	for _, item := range n {
		if item.Key == key {
			if m, ok := item.Value.(yaml.MapSlice); ok {
				return node(m)
			}
		}
	}
	return nil
}

// text is the value of a key as one line.
func (n node) text(key string) string {
	for _, item := range n {
		if item.Key == key {
			return strings.Join(strings.Fields(fmt.Sprint(item.Value)), " ")
		}
	}
	return ""
}

// list is the value of a key that is a list.
func (n node) list(key string) []any {
	for _, item := range n {
		if item.Key == key {
			all, _ := item.Value.([]any)
			return all
		}
	}
	return nil
}

// TestAPIPageIsUpToDate holds docs/api.md against the document; go test ./spec -update writes it.
func TestAPIPageIsUpToDate(t *testing.T) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var ordered yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &ordered, yaml.UseOrderedMap()); err != nil {
		t.Fatal(err)
	}
	page := renderPage(node(ordered))
	if *update {
		if err := os.WriteFile(apiPage, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(apiPage)
	if err != nil || !bytes.Equal(have, page) {
		t.Errorf("docs/api.md is not what spec/openapi.yaml makes (%v); go test ./spec -update writes it", err)
	}
}

// renderPage makes the page.
func renderPage(doc node) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The API\n\nMade from [`spec/openapi.yaml`](../spec/openapi.yaml), which a server gives at "+
		"`/api/v1/openapi.json`; do not edit.\n\n%s\n", doc.get("info").text("description"))
	for _, item := range doc.get("paths") {
		at, _ := item.Key.(string)
		calls, _ := item.Value.(yaml.MapSlice)
		for _, call := range calls {
			method, _ := call.Key.(string)
			if method == "parameters" {
				continue
			}
			operation, _ := call.Value.(yaml.MapSlice)
			renderCall(&b, strings.ToUpper(method)+" "+at, node(operation), doc)
		}
	}
	b.WriteString("\n# Bodies\n")
	for _, item := range doc.get("components").get("schemas") {
		name, _ := item.Key.(string)
		schema, _ := item.Value.(yaml.MapSlice)
		renderSchema(&b, name, node(schema))
	}
	return b.Bytes()
}

// renderCall writes one call.
func renderCall(b *bytes.Buffer, title string, call, doc node) {
	fmt.Fprintf(b, "\n## `%s`\n\n%s.\n", title, call.text("summary"))
	if description := call.text("description"); description != "" {
		fmt.Fprintf(b, "\n%s\n", description)
	}
	first := true
	for _, item := range call.list("parameters") {
		parameter := resolve(item, doc)
		if parameter.text("in") != "query" {
			continue
		}
		if first {
			b.WriteString("\n| query | |\n|---|---|\n")
			first = false
		}
		says := strings.TrimSuffix(parameter.text("description")+"; "+shape(parameter.get("schema")), "; ")
		fmt.Fprintf(b, "| `%s` | %s |\n", parameter.text("name"), cell(strings.TrimPrefix(says, "; ")))
	}
	if body := content(call.get("requestBody")); body != "" {
		fmt.Fprintf(b, "\nBody: %s.\n", body)
	}
	renderAnswers(b, call.get("responses"), doc)
}

// renderAnswers writes the answers of a call, those that say the same in one row.
func renderAnswers(b *bytes.Buffer, answers, doc node) {
	var order []string
	statuses := map[string][]string{}
	for _, item := range answers {
		answer := resolve(item.Value, doc)
		says := answer.text("description")
		if body := content(answer); body != "" {
			says = strings.TrimSuffix(says+": "+body, ": ")
		}
		if statuses[says] == nil {
			order = append(order, says)
		}
		statuses[says] = append(statuses[says], fmt.Sprint(item.Key))
	}
	b.WriteString("\n| answer | |\n|---|---|\n")
	for _, says := range order {
		fmt.Fprintf(b, "| %s | %s |\n", strings.Join(statuses[says], ", "), cell(says))
	}
}

// renderSchema writes one body.
func renderSchema(b *bytes.Buffer, name string, schema node) {
	fmt.Fprintf(b, "\n## %s\n", name)
	if description := schema.text("description"); description != "" {
		fmt.Fprintf(b, "\n%s.\n", strings.TrimSuffix(description, "."))
	}
	properties := schema.get("properties")
	if len(properties) == 0 {
		fmt.Fprintf(b, "\n%s\n", shape(schema))
		return
	}
	required := fmt.Sprint(schema.list("required"))
	b.WriteString("\n| member | | |\n|---|---|---|\n")
	for _, item := range properties {
		key, _ := item.Key.(string)
		one, _ := item.Value.(yaml.MapSlice)
		mark := ""
		if strings.Contains(" "+strings.Trim(required, "[]")+" ", " "+key+" ") {
			mark = ", always there"
		}
		fmt.Fprintf(b, "| `%s` | %s%s | %s |\n", key, cell(shape(node(one))), mark, cell(node(one).text("description")))
	}
}

// resolve follows a reference within the document.
func resolve(value any, doc node) node {
	m, _ := value.(yaml.MapSlice)
	to := node(m).text("$ref")
	if to == "" {
		return node(m)
	}
	at := doc
	for part := range strings.SplitSeq(strings.TrimPrefix(to, "#/"), "/") {
		at = at.get(part)
	}
	return at
}

// content says what a body is.
func content(holder node) string {
	var kinds []string
	for _, item := range holder.get("content") {
		kind, _ := item.Key.(string)
		media, _ := item.Value.(yaml.MapSlice)
		said := shape(node(media).get("schema"))
		if kind != "application/json" {
			said = "`" + kind + "`"
		}
		kinds = append(kinds, said)
	}
	return strings.Join(kinds, ", ")
}

// shape says in words what a schema allows.
func shape(schema node) string {
	if to := schema.text("$ref"); to != "" {
		name := path.Base(to)
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	}
	if all := schema.list("enum"); len(all) > 0 {
		words := make([]string, len(all))
		for i, one := range all {
			words[i] = fmt.Sprintf("`%v`", one)
		}
		return strings.Join(words, ", ")
	}
	said := strings.Trim(schema.text("type"), "[]")
	switch {
	case len(schema.get("items")) > 0:
		said = "list of " + shape(schema.get("items"))
	case len(schema.get("additionalProperties")) > 0:
		said = "map of " + shape(schema.get("additionalProperties"))
	case said == "object" && len(schema.get("properties")) > 0:
		var members []string
		for _, item := range schema.get("properties") {
			members = append(members, fmt.Sprintf("`%v`", item.Key))
		}
		said = "object of " + strings.Join(members, ", ")
	case said == "" && len(schema.list("oneOf")) > 0:
		var either []string
		for _, one := range schema.list("oneOf") {
			m, _ := one.(yaml.MapSlice)
			either = append(either, shape(node(m)))
		}
		said = strings.Join(either, " or ")
	}
	if format := schema.text("format"); format != "" {
		said += " (" + format + ")"
	}
	for _, limit := range [][2]string{{"minimum", "at least"}, {"maximum", "at most"}, {"default", "default"}} {
		if value := schema.text(limit[0]); value != "" {
			said += ", " + limit[1] + " " + value
		}
	}
	return said
}

// cell is text within a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
