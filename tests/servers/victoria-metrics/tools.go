//go:build tools

// Package tools pins the metrics server that the end-to-end tests write to.
package tools

import _ "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics"
