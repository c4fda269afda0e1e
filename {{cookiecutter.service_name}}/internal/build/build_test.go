package build

import (
	"runtime/debug"
	"testing"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	module := func(version, revision string) *debug.BuildInfo {
		info := &debug.BuildInfo{Main: debug.Module{Version: version}}
		if revision != "" {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: "vcs.revision", Value: revision})
		}
		return info
	}
	tests := []struct {
		name            string
		stamped         string
		module          *debug.BuildInfo
		version, commit string
	}{
		{"stamped", "1.2.3", module("v9.9.9", "abc"), "1.2.3", "abc"},
		{"stamped with an empty version", "", module("v1.0.0", ""), "v1.0.0", "unknown"},
		{"go install", "dev", module("v1.0.0", ""), "v1.0.0", "unknown"},
		{"go build in a checkout", "dev", module("(devel)", "abc"), "abc", "abc"},
		{"go run", "dev", module("", ""), "dev", "unknown"},
		{"no build information", "dev", new(debug.BuildInfo), "dev", "unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := describe("orders", test.stamped, test.module)
			if got.Service != "orders" || got.Version != test.version || got.Commit != test.commit {
				t.Errorf("describe(%q) = %+v, want version %q, commit %q", test.stamped, got, test.version, test.commit)
			}
		})
	}
}
