package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is spile man.
func (a *app) manCommand() *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use:   "man",
		Short: "Write the manual pages",
		Long: "Print the manual page of spile itself, or write one page a command into a folder.\n\n" +
			"  spile man | man -l -\n  spile man --dir /usr/local/share/man/man1",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true
			// A page without a date is the same on every machine; the zero time would be made today's.
			header := &doc.GenManHeader{Section: "1", Source: "spile " + version(), Date: &time.Time{}}
			if dir == "" {
				return doc.GenMan(root, header, a.Stdout)
			}
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				return usageError("make it first", "--dir: %s is no folder", dir)
			}
			if err := doc.GenManTree(root, header, dir); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder to write a page of each command into")
	return cmd
}
