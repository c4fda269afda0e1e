// Package build tells which build of the service is running.
package build

import "runtime/debug"

// Info names a build. Commit is "unknown" where the build recorded none.
type Info struct {
	Service   string `json:"service"`
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	GoVersion string `json:"go_version"`
}

// Read returns the running build. The version is the one stamped by the linker; without one it is that of
// the module (go install module@version), else the commit (go build in a checkout), else "dev".
func Read(service, stamped string) Info {
	module, ok := debug.ReadBuildInfo()
	if !ok {
		module = new(debug.BuildInfo)
	}
	return describe(service, stamped, module)
}

func describe(service, stamped string, module *debug.BuildInfo) Info {
	info := Info{Service: service, Version: stamped, Commit: "unknown", GoVersion: module.GoVersion}
	for _, setting := range module.Settings {
		if setting.Key == "vcs.revision" {
			info.Commit = setting.Value
		}
	}
	switch {
	case stamped != "" && stamped != "dev":
	case module.Main.Version != "" && module.Main.Version != "(devel)":
		info.Version = module.Main.Version
	case info.Commit != "unknown":
		info.Version = info.Commit
	default:
		info.Version = "dev"
	}
	return info
}
