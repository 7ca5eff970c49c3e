package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
)

// flagFault says in a user's words what is wrong with a flag; pflag says it in those of the function that parsed it.
func flagFault(err error) string {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err.Error()
	}
	wanted := "a " + invalid.GetFlag().Value.Type()
	switch invalid.GetFlag().Value.Type() {
	case "int":
		wanted = "a whole number"
	case "bool":
		wanted = "true or false"
	}
	return fmt.Sprintf("--%s: %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), wanted)
}
