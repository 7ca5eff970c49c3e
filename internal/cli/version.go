package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/image"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  ingresslab version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			printf(a.std.Out, "ingresslab %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// version is the project's, with the commit that the binary was built from if
// Go recorded one (https://pkg.go.dev/runtime/debug#BuildSetting).
func version() string {
	v := image.Version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if rev := settings["vcs.revision"]; len(rev) >= 12 {
		v += "+" + rev[:12]
	}
	if settings["vcs.modified"] == "true" {
		v += ".modified"
	}
	return v
}
