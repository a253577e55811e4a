package main

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
)

// environment is what a condition sees: the result and the functions of Argo Rollouts.
func environment(result any) map[string]any {
	return map[string]any{
		"result": result,
		"asInt": func(value any) int64 {
			switch value := value.(type) {
			case float64:
				return int64(value)
			case int:
				return int64(value)
			case int64:
				return value
			case string:
				number, err := strconv.ParseInt(value, 10, 64)
				if err != nil {
					panic(err)
				}
				return number
			}
			panic(fmt.Sprintf("asInt() not supported on %T %v", value, value))
		},
		"asFloat": func(value any) float64 {
			switch value := value.(type) {
			case float64:
				return value
			case int:
				return float64(value)
			case int64:
				return float64(value)
			case string:
				number, err := strconv.ParseFloat(value, 64)
				if err != nil {
					panic(err)
				}
				return number
			}
			panic(fmt.Sprintf("asFloat() not supported on %T %v", value, value))
		},
		"isNaN": math.IsNaN,
		"isInf": func(value float64) bool { return math.IsInf(value, 0) },
		"isNil": func(any) bool { return result == nil },
		"default": func(_ any, other any) any {
			if result == nil {
				return other
			}
			return result
		},
	}
}

// evaluate answers like a condition: true, false, or an error in its first line.
func evaluate(condition string, result any) (answer []any) {
	defer func() {
		if reason := recover(); reason != nil {
			answer = []any{"error", fmt.Sprint(reason)}
		}
	}()
	env := environment(result)
	program, err := expr.Compile(condition, expr.Env(env))
	if err == nil {
		var outcome any
		outcome, err = expr.Run(program, env)
		if err == nil {
			if holds, ok := outcome.(bool); ok {
				return []any{holds}
			}
			err = errors.New("expected bool, but got " + typeOf(outcome))
		}
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	if at := strings.LastIndex(line, " ("); at > 0 && strings.HasSuffix(line, ")") && strings.Contains(line[at:], ":") {
		line = line[:at]
	}
	return []any{"error", line}
}

func typeOf(value any) string {
	if value == nil {
		return "<nil>"
	}
	return reflect.TypeOf(value).String()
}

// results are the typed values that providers hand over.
func results(documents map[string]any) map[string]any {
	vector := []float64{}
	for _, number := range documents["vector"].([]any) {
		vector = append(vector, number.(float64))
	}
	return map[string]any{
		"document": documents["document"],
		"vector":   vector,
		"number":   documents["number"],
		"text":     documents["text"],
		"nothing":  nil,
		"empty":    []float64{},
	}
}
