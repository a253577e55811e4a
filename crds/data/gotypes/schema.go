package main

import (
	"bufio"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
)

// docs are the comments of one struct: its own and those of its fields by Go name.
type docs struct {
	own    string
	fields map[string]string
}

// schemaField is one property: what controller-gen reads from the field's tag and comment.
type schemaField struct {
	Name        string          `json:"name"`
	Kind        string          `json:"kind"`
	Required    bool            `json:"required,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`
	ListType    string          `json:"listType,omitempty"`
	ListMapKeys []string        `json:"listMapKeys,omitempty"`
	MapType     string          `json:"mapType,omitempty"`
	Description string          `json:"description,omitempty"`
}

// schemaType is one struct.
type schemaType struct {
	Type        string        `json:"type"`
	Atomic      bool          `json:"atomic,omitempty"`
	Description string        `json:"description,omitempty"`
	Fields      []schemaField `json:"fields"`
}

// packageDocs reads the comments of every struct of a package from its source in the module cache.
func packageDocs(path string) map[string]docs {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		panic(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	if err != nil {
		panic(err)
	}
	found := map[string]docs{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			panic(err)
		}
		for _, decl := range parsed.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok || general.Tok != token.TYPE {
				continue
			}
			for _, spec := range general.Specs {
				named := spec.(*ast.TypeSpec)
				structure, ok := named.Type.(*ast.StructType)
				if !ok {
					continue
				}
				entry := docs{own: general.Doc.Text() + markers(general.Doc), fields: map[string]string{}}
				for _, f := range structure.Fields.List {
					for _, name := range f.Names {
						entry.fields[name.Name] = f.Doc.Text() + markers(f.Doc)
					}
				}
				found[named.Name.Name] = entry
			}
		}
	}
	return found
}

// markers gives back the lines that Doc.Text leaves out because they look like directives.
func markers(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	var lines strings.Builder
	for _, comment := range group.List {
		text := strings.TrimPrefix(comment.Text, "//")
		if strings.HasPrefix(text, "+") {
			lines.WriteString("\n" + text)
		}
	}
	return lines.String()
}

// split parts a comment into its prose and its markers (`+name=value`).
func split(comment string) (prose string, marks map[string][]string) {
	marks = map[string][]string{}
	var lines []string
	internal := false
	for _, line := range strings.Split(comment, "\n") {
		trimmed := strings.TrimSpace(line)
		// Prose behind such a line is for those who work on Kubernetes itself.
		internal = internal || trimmed == "---"
		if rest, ok := strings.CutPrefix(trimmed, "+"); ok {
			name, value, _ := strings.Cut(rest, "=")
			marks[name] = append(marks[name], value)
			continue
		}
		if !internal && !strings.HasPrefix(trimmed, "TODO") {
			lines = append(lines, trimmed)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n")), marks
}

func first(marks map[string][]string, name string) string {
	if values := marks[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func has(marks map[string][]string, names ...string) bool {
	for _, name := range names {
		if _, ok := marks[name]; ok {
			return true
		}
	}
	return false
}

// atomic tells whether a struct is merged as a whole, by its own marker or that of a struct embedded in it.
func atomic(t reflect.Type, lookup func(reflect.Type) docs) bool {
	_, marks := split(lookup(t).own)
	found := first(marks, "structType") == "atomic"
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type.Kind() == reflect.Struct {
			found = found || atomic(f.Type, lookup)
		}
	}
	return found
}

func printSchema(out *bufio.Writer) {
	packages := map[string]map[string]docs{}
	lookup := func(t reflect.Type) docs {
		if _, ok := packages[t.PkgPath()]; !ok {
			packages[t.PkgPath()] = packageDocs(t.PkgPath())
		}
		return packages[t.PkgPath()][t.Name()]
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, t := range closure() {
		prose, _ := split(lookup(t).own)
		entry := schemaType{Type: t.Name(), Description: prose, Atomic: atomic(t, lookup)}
		for _, f := range fieldsOf(t) {
			prose, marks := split(lookup(f.owner).fields[f.goName])
			property := schemaField{
				Name:        f.name,
				Kind:        kind(f.typ),
				ListType:    first(marks, "listType"),
				ListMapKeys: marks["listMapKey"],
				MapType:     first(marks, "mapType"),
				Description: prose,
			}
			// The order of these questions is controller-gen's.
			switch {
			case has(marks, "optional", "k8s:optional", "kubebuilder:validation:Optional"):
			case has(marks, "required", "k8s:required", "kubebuilder:validation:Required"):
				property.Required = true
			default:
				property.Required = !f.omitEmpty && !f.omitZero
			}
			// `ref(NAME)` is a form that controller-gen passes over.
			if value := first(marks, "default"); json.Valid([]byte(value)) {
				property.Default = json.RawMessage(value)
			}
			entry.Fields = append(entry.Fields, property)
		}
		if err := encoder.Encode(entry); err != nil {
			panic(err)
		}
	}
}
