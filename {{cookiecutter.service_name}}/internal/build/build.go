// Package build says which build of the service is running.
package build

import "runtime/debug"

// Info describes a build. Commit is "unknown" if the build recorded none.
type Info struct {
	Service   string `json:"service"`
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	GoVersion string `json:"go_version"`
}

// Read describes the running build. The version is stamped, if the linker set it. Otherwise it is the module's version
// (go install module@version), the commit (go build in a checkout), or "dev".
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
