package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	saferand "k8s.io/apimachinery/pkg/util/rand"
)

// newFields are not in the versions that Argo Rollouts is built with; vectors leave them out.
var newFields = map[string]bool{"PodSpec.workloadRef": true, "PodCertificateProjection.userAnnotations": true}

var texts = []string{"a", "web", "x<y>&z", "line\nbreak\ttab \"quoted\" \\", "sep\u2028\u2029", "ünï-☃-\U0001F600", "\x01\x7f", "nginx:1.19-alpine", ""}
var quantities = []any{"100m", "1000m", "1", "0.5", 2, 0.25, "1Gi", "1024Mi", "1.5Gi", "500M", "1e3", "0"}
var times = []string{"2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00"}

// random makes a JSON value for a type: often sparse, at times null or of an unknown key.
func random(r *rand.Rand, t reflect.Type, depth int) any {
	switch scalars[t] {
	case "quantity":
		return quantities[r.Intn(len(quantities))]
	case "intstr":
		return []any{8080, "http", "25%", 0}[r.Intn(4)]
	case "time":
		return times[r.Intn(len(times))]
	case "raw":
		return map[string]any{"f:spec": map[string]any{}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		if r.Intn(12) == 0 {
			return nil
		}
		return random(r, t.Elem(), depth)
	case reflect.Slice:
		items := []any{}
		for range r.Intn(3) {
			items = append(items, random(r, t.Elem(), depth+1))
		}
		return items
	case reflect.Map:
		entries := map[string]any{}
		for i := range r.Intn(4) {
			entries[fmt.Sprintf("%s-%d", []string{"k", "B", "a.b/c", "é"}[r.Intn(4)], i)] = random(r, t.Elem(), depth+1)
		}
		return entries
	case reflect.Struct:
		object := map[string]any{}
		for _, f := range fieldsOf(t) {
			if newFields[t.Name()+"."+f.name] || f.name == "managedFields" {
				continue
			}
			// The deeper, the sparser: a template stays of readable size.
			if r.Intn(1+depth) == 0 {
				object[f.name] = random(r, f.typ, depth+1)
			}
		}
		if r.Intn(6) == 0 {
			object["fieldOfALaterVersion"] = "dropped"
		}
		return object
	case reflect.String:
		return texts[r.Intn(len(texts))]
	case reflect.Bool:
		return r.Intn(2) == 0
	default:
		return []int{0, 1, 3, 80, 600, -1}[r.Intn(6)]
	}
}

// hash is the hash of a template: FNV-1a of its JSON and, with a collision, of 8 bytes more.
func hash(text []byte, collisions *int32) string {
	sum := fnv.New32a()
	sum.Write(text)
	if collisions != nil {
		bytes := make([]byte, 8)
		binary.LittleEndian.PutUint32(bytes, uint32(*collisions))
		sum.Write(bytes)
	}
	return saferand.SafeEncodeString(fmt.Sprint(sum.Sum32()))
}

type vector struct {
	Template   json.RawMessage `json:"template"`
	Collisions *int32          `json:"collisions,omitempty"`
	Hash       string          `json:"hash"`
	Bytes      int             `json:"bytes"` // length of the text that is hashed: tells where a difference lies
}

func printVectors(out *bufio.Writer) {
	r := rand.New(rand.NewSource(7))
	encoder := json.NewEncoder(out)
	for i := range 64 {
		object := random(r, roots[0], i%3).(map[string]any)
		text, err := json.Marshal(object)
		if err != nil {
			panic(err)
		}
		var template corev1.PodTemplateSpec
		if err := json.Unmarshal(text, &template); err != nil {
			panic(err)
		}
		typed, err := json.Marshal(template)
		if err != nil {
			panic(err)
		}
		entry := vector{Template: text, Bytes: len(typed)}
		if i%5 == 4 {
			count := int32(r.Intn(400))
			entry.Collisions = &count
		}
		entry.Hash = hash(typed, entry.Collisions)
		if err := encoder.Encode(entry); err != nil {
			panic(err)
		}
	}
}

func printQuantities(out *bufio.Writer) {
	fmt.Fprintln(out, "# quantity canonical (or `-` when it is not one); printed by crds/data/gotypes")
	numbers := strings.Fields("0 00 1 +1 -1 7 8 10 100 1000 1500 1536 1024 2048 0.5 .5 1. 1.5 1.500 1.0001 0.1 0.0001 0.0000000001 -0.0000000001 123456789012 123456789012345678 1234567890123456789 12345678901234567890 999999999999999 1.000000001 1.0000000001 -1.5 007 1000000 1024000")
	suffixes := strings.Fields(". n u m k M G T P E Ki Mi Gi Ti Pi Ei e3 E3 e-3 e0 e1 e+2 e20 K i mm e ki")
	for _, number := range numbers {
		for _, suffix := range suffixes {
			text := number + strings.TrimPrefix(suffix, ".")
			parsed, err := resource.ParseQuantity(text)
			canonical := "-"
			if err == nil {
				canonical = parsed.String()
			}
			fmt.Fprintln(out, text, canonical)
		}
	}
}
