// Package local starts a PostgreSQL of this machine's own, with nothing installed, for tests and for "make run".
package local

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	postgres "github.com/fergusstrange/embedded-postgres"

	"{{ cookiecutter.module_path }}/internal/config"
)

const (
	version = postgres.V18
	host    = "127.0.0.1"
)

// Start starts a server and returns its URL. It downloads PostgreSQL once, into the user's cache. Data stay in the folder;
// with "" there is a new one, which goes when the server ends. The server ends by stop, and with this process, however that
// ends.
func Start(folder string) (url string, stop func(), _ error) {
	if os.Geteuid() == 0 {
		return "", nil, errors.New("PostgreSQL does not run as root: set DATABASE_URL, or use another user")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, err
	}
	cache = filepath.Join(cache, "embedded-postgres")
	isTemporary := folder == ""
	if isTemporary {
		if folder, err = os.MkdirTemp("", "postgres-"); err != nil {
			return "", nil, err
		}
	}
	starting, err := lock(cache, syscall.LOCK_EX) // one at a time unpacks, and looks for a port
	if err != nil {
		return "", nil, err
	}
	defer starting.Close()
	using, err := lock(folder, syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return "", nil, fmt.Errorf("another PostgreSQL uses %s: %w", folder, err)
	}
	defer using.Close() // the shell has it too
	binaries := filepath.Join(cache, string(version), "unpacked")
	if stop, err = endWithProcess(binaries, folder, isTemporary, using); err != nil {
		return "", nil, err
	}
	if url, err = start(cache, binaries, folder, isTemporary); err != nil {
		stop()
		return "", nil, fmt.Errorf("PostgreSQL did not start: %w", err)
	}
	return url, stop, nil
}

// lock locks a folder until the file and all its copies are closed.
func lock(folder string, how int) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(folder, "lock")) //nolint:gosec // the caller's own folder
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func start(cache, binaries, folder string, isTemporary bool) (url string, _ error) {
	config.ForgetPGVariables()
	complete := filepath.Join(filepath.Dir(binaries), "complete")
	if _, err := os.Stat(complete); err != nil { // a process that unpacked them may have been killed
		if err := os.RemoveAll(filepath.Dir(binaries)); err != nil {
			return "", err
		}
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	parameters := map[string]string{
		"listen_addresses": host, "unix_socket_directories": "",
		"max_connections": "500", // each test that runs has a pool
	}
	if isTemporary {
		parameters["fsync"], parameters["full_page_writes"] = "off", "off"
	}
	defer func(before string) { _ = os.Setenv("TMPDIR", before) }(os.TempDir())
	_ = os.Setenv("TMPDIR", folder) // for the log, so that it goes with the folder
	settings := postgres.DefaultConfig().Version(version).Port(port).CachePath(cache).BinariesPath(binaries).
		RuntimePath(filepath.Join(folder, "run")).DataPath(filepath.Join(folder, "data")).StartParameters(parameters).
		Encoding("UTF8").Locale("C").Logger(io.Discard)
	if err := postgres.NewDatabase(settings).Start(); err != nil {
		return "", err
	}
	url = fmt.Sprintf("postgres://postgres:postgres@%s:%d/postgres?sslmode=disable", host, port)
	return url, os.WriteFile(complete, nil, 0o600)
}

// freePort returns a port below those that connections get, so that none has it before PostgreSQL does.
func freePort() (port uint32, err error) {
	for range 100 {
		port = 10_000 + rand.Uint32N(20_000) //nolint:gosec // it is no secret
		var listener net.Listener
		if listener, err = net.Listen("tcp", fmt.Sprintf("%s:%d", host, port)); err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}

// inputs are open as long as this process runs. The garbage collector would close them.
var inputs []io.Closer

// endWithProcess starts a shell that waits for stop or for the end of this process, which closes its input, and then stops the
// server. It does so before there is one, since this process may be killed while PostgreSQL starts.
func endWithProcess(binaries, folder string, isTemporary bool, using *os.File) (stop func(), _ error) {
	script := `read _; "$1" stop --pgdata="$2/data" --mode=fast; rm -f "$2"/embedded_postgres_log*`
	if isTemporary {
		script = `read _; "$1" stop --pgdata="$2/data" --mode=immediate; rm -rf "$2" || { sleep 1; rm -rf "$2"; }` // initdb may still write
	}
	shell := exec.Command("sh", "-c", script, "sh", filepath.Join(binaries, "bin", "pg_ctl"), folder) //nolint:gosec // our own paths
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}                                            // Ctrl-C is not for the shell
	shell.ExtraFiles = []*os.File{using}                                                              // until the server has ended
	input, err := shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	inputs = append(inputs, input)
	return func() {
		_ = input.Close()
		_ = shell.Wait()
	}, shell.Start()
}
