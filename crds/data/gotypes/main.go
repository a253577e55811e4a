// Command gotypes prints facts about the Kubernetes types that a Rollout embeds, as data for the crate `crds`:
//
//	go run . table    > ../kubernetes.table        what Go's encoding/json does with each struct
//	go run . schema   > ../kubernetes.schema.jsonl what controller-gen makes of each struct
//	go run . vectors  > ../hash-vectors.jsonl      pod templates with their hash
//	go run . quantity > ../quantity-vectors.txt    quantities with their canonical form
//
// The data is committed; tests need no Go. `-modfile=contract.mod` runs the same program with the versions that
// Argo Rollouts is built with: its vectors must be the same.
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// roots are the structs from which everything else is reached.
var roots = []reflect.Type{
	reflect.TypeFor[corev1.PodTemplateSpec](),
	reflect.TypeFor[batchv1.JobSpec](),
}

// scalars are the structs that marshal themselves.
var scalars = map[reflect.Type]string{
	reflect.TypeFor[resource.Quantity]():  "quantity",
	reflect.TypeFor[intstr.IntOrString](): "intstr",
	reflect.TypeFor[metav1.Time]():        "time",
	reflect.TypeFor[metav1.FieldsV1]():    "raw",
}

// field is one JSON key of a struct; embedded structs are flattened as encoding/json does.
type field struct {
	owner     reflect.Type // the struct that declares it (differs from the outer one when embedded)
	goName    string
	name      string
	typ       reflect.Type
	omitEmpty bool
	omitZero  bool
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		parts := strings.Split(f.Tag.Get("json"), ",")
		if parts[0] == "-" {
			continue
		}
		if f.Anonymous && parts[0] == "" {
			fields = append(fields, fieldsOf(f.Type)...)
			continue
		}
		out := field{owner: t, goName: f.Name, name: parts[0], typ: f.Type}
		for _, option := range parts[1:] {
			out.omitEmpty = out.omitEmpty || option == "omitempty"
			out.omitZero = out.omitZero || option == "omitzero"
		}
		fields = append(fields, out)
	}
	return fields
}

// kind names a type: a scalar, `*T`, `[]T`, `map T` (keys are always strings) or a struct's name.
func kind(t reflect.Type) string {
	if name, ok := scalars[t]; ok {
		return name
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + kind(t.Elem())
	case reflect.Slice:
		return "[]" + kind(t.Elem())
	case reflect.Map:
		return "map:" + kind(t.Elem())
	case reflect.Struct:
		return t.Name()
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Int64:
		return t.Kind().String()
	}
	panic("a kind that the table does not know: " + t.String())
}

// closure lists every struct that is reached from the roots, sorted by name.
func closure() []reflect.Type {
	seen := map[reflect.Type]bool{}
	names := map[string]reflect.Type{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(t.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if _, ok := scalars[t]; ok || seen[t] {
			return
		}
		seen[t] = true
		if other, ok := names[t.Name()]; ok {
			panic(fmt.Sprintf("two structs of one name: %v and %v", other, t))
		}
		names[t.Name()] = t
		for _, f := range fieldsOf(t) {
			visit(f.typ)
		}
	}
	for _, root := range roots {
		visit(root)
	}
	types := make([]reflect.Type, 0, len(seen))
	for t := range seen {
		types = append(types, t)
	}
	sort.Slice(types, func(i, j int) bool { return types[i].Name() < types[j].Name() })
	return types
}

func printTable(out *bufio.Writer) {
	fmt.Fprintln(out, "# Structs of the Kubernetes API as Go's encoding/json sees them: fields in order, kind, when left out.")
	fmt.Fprintln(out, "# Printed by crds/data/gotypes; do not edit.")
	for _, t := range closure() {
		fmt.Fprintln(out, t.Name())
		for _, f := range fieldsOf(t) {
			fmt.Fprintf(out, "\t%s %s", f.name, kind(f.typ))
			if f.omitEmpty {
				fmt.Fprint(out, " omitempty")
			}
			if f.omitZero {
				fmt.Fprint(out, " omitzero")
			}
			fmt.Fprintln(out)
		}
	}
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	command := ""
	if len(os.Args) == 2 {
		command = os.Args[1]
	}
	switch command {
	case "table":
		printTable(out)
	case "schema":
		printSchema(out)
	case "vectors":
		printVectors(out)
	case "quantity":
		printQuantities(out)
	default:
		fmt.Fprintln(os.Stderr, "usage: gotypes table|schema|vectors|quantity")
		os.Exit(2)
	}
}
