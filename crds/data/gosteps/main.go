// Command gosteps prints canary steps with the hash that Argo Rollouts gives them, as data for the crate `crds`:
// `go run . > ../step-vectors.jsonl`. The steps are random values of Argo Rollouts' own types.
package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand"
	"os"
	"reflect"
	"strings"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"k8s.io/apimachinery/pkg/util/intstr"
	saferand "k8s.io/apimachinery/pkg/util/rand"
)

var texts = []string{"a", "canary", "x<y>&z", "ünï \"quoted\" \\", "sep\u2028", "line\nbreak"}

// random makes a JSON value for a type, in which about half of the optional fields are absent.
func random(r *rand.Rand, t reflect.Type) any {
	switch t {
	case reflect.TypeFor[intstr.IntOrString]():
		return []any{30, "10m", "1h30m"}[r.Intn(3)]
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{"b": 1, "a": []any{"<", nil, true}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return random(r, t.Elem())
	case reflect.Slice:
		items := []any{}
		for range 1 + r.Intn(2) {
			items = append(items, random(r, t.Elem()))
		}
		return items
	case reflect.Map:
		return map[string]any{"k": random(r, t.Elem()), "B": random(r, t.Elem())}
	case reflect.Struct:
		object := map[string]any{}
		for i := range t.NumField() {
			f := t.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !strings.Contains(options, "omitempty") || r.Intn(2) == 0 {
				object[name] = random(r, f.Type)
			}
		}
		return object
	case reflect.String:
		return texts[r.Intn(len(texts))]
	case reflect.Bool:
		return r.Intn(2) == 0
	default:
		return r.Intn(3) * 10
	}
}

func main() {
	r := rand.New(rand.NewSource(11))
	encoder := json.NewEncoder(os.Stdout)
	for range 40 {
		written := []any{}
		for range r.Intn(4) {
			written = append(written, random(r, reflect.TypeFor[v1alpha1.CanaryStep]()))
		}
		text, err := json.Marshal(written)
		if err != nil {
			panic(err)
		}
		var steps []v1alpha1.CanaryStep
		if err := json.Unmarshal(text, &steps); err != nil {
			panic(err)
		}
		typed, err := json.Marshal(steps)
		if err != nil {
			panic(err)
		}
		sum := fnv.New32a()
		sum.Write(typed)
		hash := saferand.SafeEncodeString(fmt.Sprint(sum.Sum32()))
		if err := encoder.Encode(map[string]any{"steps": json.RawMessage(text), "hash": hash}); err != nil {
			panic(err)
		}
	}
}
