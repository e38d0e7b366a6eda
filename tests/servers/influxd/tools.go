//go:build tools

// Package tools pins the InfluxDB v2 server that the end-to-end tests write to.
package tools

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)
