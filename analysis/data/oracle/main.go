// The oracle prints what Go's implementations answer to the cases in ../cases.json: JSONPath as kubectl and the web
// provider of Argo Rollouts read it, and conditions in the expr language. The tests compare with what it printed
// and need no Go.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/util/jsonpath"
)

type cases struct {
	Documents  map[string]any      `json:"documents"`
	JSONPath   map[string][]string `json:"jsonpath"`
	Results    map[string]any      `json:"results"`
	Conditions map[string][]string `json:"conditions"`
}

// find answers like the web provider: all results in order, or an error.
func find(document any, path string) (answer []any) {
	defer func() {
		if reason := recover(); reason != nil {
			answer = []any{"panic", fmt.Sprint(reason)}
		}
	}()
	parser := jsonpath.New("metrics")
	if err := parser.Parse(path); err != nil {
		return []any{"parse", err.Error()}
	}
	results, err := parser.FindResults(document)
	if err != nil {
		return []any{"find", err.Error()}
	}
	values := []any{}
	for _, group := range results {
		for _, result := range group {
			values = append(values, result.Interface())
		}
	}
	return []any{"ok", values}
}

func main() {
	text, err := os.ReadFile("../cases.json")
	if err != nil {
		panic(err)
	}
	var all cases
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err)
	}
	var out strings.Builder
	for _, name := range []string{"shop", "odd"} {
		for _, path := range all.JSONPath[name] {
			line, err := json.Marshal(append([]any{name, path}, find(all.Documents[name], path)...))
			if err != nil {
				panic(err)
			}
			out.Write(line)
			out.WriteByte('\n')
		}
	}
	save("../jsonpath.jsonl", &out)
	values := results(all.Results)
	for _, name := range []string{"document", "vector", "number", "text", "nothing", "empty"} {
		for _, condition := range all.Conditions[name] {
			line, err := json.Marshal(append([]any{name, condition}, evaluate(condition, values[name])...))
			if err != nil {
				panic(err)
			}
			out.Write(line)
			out.WriteByte('\n')
		}
	}
	save("../conditions.jsonl", &out)
}

// save writes a file and empties the text.
func save(path string, out *strings.Builder) {
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		panic(err)
	}
	out.Reset()
}
