package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// renamed maps each old command and flag to its new name. Remove it after version 0.1.
var renamed = map[string]string{
	"labs":                "list",
	"logs":                "export-logs",
	"prove":               "dev test",
	"parity":              "dev compare",
	"lint":                "dev lint",
	"lesson":              "dev",
	"lesson verify":       "dev verify",
	"lesson record":       "dev record",
	"simulate":            "dev benchmark",
	"image node":          "build node-image",
	"image control-plane": "build control-plane",
	"image kubectl":       "build kubectl",
	"lab --start":         "start",
	"learn --forget":      "learn --reset-progress",
	"check --hint":        "check --hint-level",
	"explain --draw":      "explain --random",
	"run --from":          "run --from-step",
	"run --until":         "run --until-step",
	"run --run":           "run --run-id",
	"dev test --again":    "dev test --retry",
}

// addRenamed adds a hidden command for each old command below parent. It fails and gives the new name.
func addRenamed(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		addRenamed(c)
	}
	prefix := commandName(parent)
	for old := range renamed {
		name, below := strings.CutPrefix(old, prefix)
		if !below || strings.Contains(name, " ") {
			continue
		}
		parent.AddCommand(&cobra.Command{
			Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(_ *cobra.Command, args []string) error {
				for _, arg := range args {
					if err := renamedError(old + " " + arg); err != nil {
						return err
					}
				}
				return renamedError(old)
			},
		})
	}
}

// commandName returns the words after the program's name, with a space behind them: "dev test ".
func commandName(c *cobra.Command) string {
	_, words, _ := strings.Cut(c.CommandPath()+" ", " ")
	return words
}

// renamedFlag returns the error for a renamed flag of c, and nil for any other error.
func renamedFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return nil
	}
	return renamedError(commandName(c) + "--" + unknown.GetSpecifiedName())
}

// renamedError returns an error with the new name of old, or nil if old has none.
func renamedError(old string) error {
	if now := renamed[old]; now != "" {
		return usagef("`%s` is now `%s`", old, now)
	}
	return nil
}
