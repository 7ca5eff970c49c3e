// Package cli is the command line of ingresslab: flags, messages, and exit codes. A command reads its flags, calls another
// package, and prints the result. Logic that can be tested without a command line belongs elsewhere.
//
// Read root.go first: it lists the commands. output.go has the exit codes, and display.go the progress.
// Data goes to standard output, everything else to standard error. The tests in testdata/script show what each command prints.
package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
	"github.com/ingresslab/ingresslab/internal/cluster/existing"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/image"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/lab"
)

// app holds what the commands share: the streams, the display, and the global flags.
type app struct {
	std      Streams
	display  *display
	provider string // --cluster
	name     string // --name
	existing existingFlags
	// connect returns a client for the cluster's API server.
	connect func(context.Context) (*kube.Client, error)
	// options returns the providers. Tests replace it.
	options func() autoselect.Providers
	labEnv  func(*cluster.Cluster) (lab.Env, error)
}

func (a *app) rootCommand() *cobra.Command {
	cobra.EnableCommandSorting = false // learn comes first
	root := &cobra.Command{
		Use:   "ingresslab",
		Short: "Learn Kubernetes Ingress with hands-on labs",
		Long: `ingresslab starts a Kubernetes cluster on your machine, installs an Ingress controller, and checks
your work in hands-on labs. It also runs scenarios, which test the controller.`,
		Example: `  ingresslab learn 1    # start a cluster and work through lab 1
  ingresslab lab 1      # create a cluster and run lab 1
  ingresslab status     # show the cluster and its addresses
  ingresslab down       # delete the cluster`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	asGroup(root)
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.existing.context != "" && a.provider == auto {
			a.provider = existing.Name
		}
		_, err := a.named()
		return err
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if renamed := renamedFlag(c, err); renamed != nil {
			return renamed
		}
		return usagef("%s; see `%s --help`", flagError(err), c.CommandPath())
	})
	a.globalFlags(root)
	for _, g := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Learn", []*cobra.Command{
			a.learnCommand(), a.startCommand(), a.checkCommand(), a.explainCommand(), a.labCommand(), a.listCommand(),
		}},
		{"Cluster", []*cobra.Command{
			a.upCommand(), a.downCommand(), a.statusCommand(), a.kubeconfigCommand(), a.exportLogsCommand(), a.imageCommand(), a.buildCommand(),
		}},
		{"Scenarios", []*cobra.Command{a.runCommand()}},
		{"Authors", []*cobra.Command{a.devCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, c := range g.commands {
			c.GroupID = g.title
			root.AddCommand(c)
		}
	}
	root.AddCommand(a.versionCommand())
	addRenamed(root)
	return root
}

// globalFlags registers the flags that select the cluster.
func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.provider, "cluster", auto, "cluster provider: "+strings.Join(a.providerNames(), ", "))
	f.StringVar(&a.name, "name", cluster.DefaultName, "cluster name")
	f.StringVar(&a.existing.context, "context", "", "kubeconfig context to use; implies --cluster existing")
	f.StringVar(&a.existing.kubeconfig, "kubeconfig", "", "path to the kubeconfig file (default: $KUBECONFIG, then ~/.kube/config)")
	complete := cobra.FixedCompletions(a.clusterValues(), cobra.ShellCompDirectiveNoFileComp)
	// Registration fails only for an unknown flag, and both flags exist.
	_ = root.RegisterFlagCompletionFunc("cluster", complete)
	_ = root.RegisterFlagCompletionFunc("context", a.completeContexts)
}

// asGroup makes c print its help without a subcommand, and suggest the nearest subcommand for an unknown one.
func asGroup(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		var known []string
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				known = append(append(known, sub.Name()), sub.Aliases...)
			}
		}
		return unknown("command", args[0], known, "run `"+c.CommandPath()+" --help` for a list")
	}
}

// noArgs is like cobra.NoArgs, but returns a usage error.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s accepts no arguments, but got %q; see `%s --help`", c.Name(), args[0], c.CommandPath())
	}
	return nil
}

// checkout finds the checkout with the sources: above the working directory, or above the program (`make build` puts it there).
func (a *app) checkout() (string, error) {
	dirs := []string{"."}
	if wd, err := os.Getwd(); err == nil {
		dirs[0] = wd
	}
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(exe))
	}
	return image.FindCheckout(dirs...)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of ingresslab",
		Example: "  ingresslab version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			printf(a.std.Out, "ingresslab %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// version returns the project's version with the commit, if Go recorded one in the binary
// (https://pkg.go.dev/runtime/debug#BuildSetting).
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

// Streams are the standard streams of the program.
type Streams struct {
	In  io.Reader
	Out io.Writer // data
	Err io.Writer // progress and errors
}

// Run runs the command in args (without the program's name) and returns its exit code. If ctx ends, it cleans up.
func Run(ctx context.Context, args []string, std Streams) int {
	if len(args) > 0 {
		if code, found := runChild(args[0], std); found {
			return code
		}
	}
	silenceClient()
	return newApp(std).run(ctx, args)
}

// silenceClient drops the log of client-go, which would mix with reports and the tutor's pages. client-go also returns its errors.
var silenceClient = sync.OnceFunc(func() { klog.SetLogger(klog.Logger{}) })

// runChild runs this process as a child of another ingresslab process, if command is the name of such a child.
func runChild(command string, std Streams) (code int, found bool) {
	ok := false
	switch command {
	case kind.ChildCommand:
		ok = kind.RunChild(std.In, std.Out)
	case supervisor.ChildCommand:
		ok = supervisor.Run(std.In, std.Out)
	case container.ChildCommand:
		_ = container.RunChild() // RunChild returns only after a failure, which the parent process has already read
	default:
		return 0, false
	}
	if ok {
		return ExitOK, true
	}
	return ExitFailed, true
}

func newApp(std Streams) *app {
	a := &app{std: std, display: newDisplay(std.Err, os.Getenv)}
	a.connect, a.options, a.labEnv = a.client, a.providers, lab.NewEnv
	return a
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.std.In)
	root.SetOut(a.std.Out)
	root.SetErr(a.std.Err)
	err := root.ExecuteContext(ctx)
	if text := errorText(err); text != "" {
		printf(a.std.Err, "ingresslab: %s\n", text)
	}
	return exitCode(err)
}
