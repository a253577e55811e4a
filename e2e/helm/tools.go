//go:build tools

// Package tools names Helm's command, so that go.mod and go.sum pin every module it needs.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
)
