// With runs a command with a PostgreSQL of this machine's own, whose data stay in bin/postgres. It is what "make run" does if
// no database is set.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"{{ cookiecutter.module_path }}/internal/database/local"
)

func main() {
	err := run(os.Args[1:])
	if ended, ok := err.(*exec.ExitError); ok { //nolint:errorlint // of the command itself, not of a program that Start runs
		os.Exit(ended.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("usage: with COMMAND [ARGUMENT...]")
	}
	folder, err := filepath.Abs("bin/postgres")
	if err != nil {
		return err
	}
	url, stop, err := local.Start(folder)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintln(os.Stderr, "PostgreSQL, with its data in bin/postgres:", url)
	command := exec.Command(arguments[0], arguments[1:]...) //nolint:gosec // what the caller asked for
	command.Env = append(os.Environ(), "DATABASE_URL="+url, "LOCAL_DATABASE_URL="+url)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := command.Start(); err != nil {
		return err
	}
	go func() {
		for received := range signals {
			if received == syscall.SIGTERM { // the terminal sends an interrupt to both
				_ = command.Process.Signal(received)
			}
		}
	}()
	return command.Wait()
}
