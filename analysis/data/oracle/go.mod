module stepgate.dev/analysis/oracle

go 1.25.0

require k8s.io/client-go v0.35.3

require github.com/expr-lang/expr v1.17.8
