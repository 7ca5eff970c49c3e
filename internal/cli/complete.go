package cli

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// completeLabs completes labs by number and by name. Without a checkout, it completes nothing.
func (a *app) completeLabs(_ *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	root, err := a.checkout()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	entries, err := lab.List(filepath.Join(root, labsDir))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var proposals []cobra.Completion
	for _, e := range entries {
		title := titleOf(e.Title)
		proposals = append(proposals, cobra.CompletionWithDesc(fmt.Sprint(e.Number), title), cobra.CompletionWithDesc(e.Name, title))
	}
	return proposals, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeOneLab is completeLabs for commands with one argument.
func (a *app) completeOneLab(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeLabs(c, args, prefix)
}

// completeCheck completes a lab, and then one of its tasks.
func (a *app) completeCheck(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeLabs(c, args, prefix)
	}
	root, err := a.checkout()
	if err != nil || len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := loadLabs(root, args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var proposals []cobra.Completion
	for _, t := range list[0].Tasks {
		proposals = append(proposals, cobra.CompletionWithDesc(t.ID, t.Title))
	}
	return proposals, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeScenarios completes scenarios by name, and files.
func (a *app) completeScenarios(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	root, err := a.checkout()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	entries, err := scenario.List(filepath.Join(root, scenariosDir))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var proposals []cobra.Completion
	for _, e := range entries {
		proposals = append(proposals, cobra.CompletionWithDesc(e.Name, titleOf(e.Title)))
	}
	return proposals, cobra.ShellCompDirectiveDefault
}

// completeLabsAndScenarios completes both.
func (a *app) completeLabsAndScenarios(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	labs, _ := a.completeLabs(c, args, prefix)
	scenarios, directive := a.completeScenarios(c, args, prefix)
	return append(labs, scenarios...), directive
}

// completeContexts completes the contexts in --kubeconfig, or in the kubeconfig that kubectl uses.
func (a *app) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = a.existing.kubeconfig
	config, err := rules.Load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}
