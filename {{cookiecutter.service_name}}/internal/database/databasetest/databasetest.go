// Package databasetest gives tests databases of their own.
package databasetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/database"
	"{{ cookiecutter.module_path }}/internal/database/local"
	"{{ cookiecutter.module_path }}/internal/queries"
)

// New returns the URL of a new database with the newest schema. It is on the server of DATABASE_URL, and dropped at the end
// of the test, or on a server that ends with the tests.
func New(t testing.TB) string {
	t.Helper()
	s, err := prepared()
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if err := s.exec(context.Background(), "CREATE DATABASE %s TEMPLATE %s", name, s.template); err != nil {
		t.Fatal(err)
	}
	if s.isShared {
		t.Cleanup(func() {
			if err := s.exec(context.Background(), "DROP DATABASE %s WITH (FORCE)", name); err != nil {
				t.Error(err)
			}
		})
	}
	return s.urlOf(name)
}

// Open opens the database of DATABASE_URL, waits until it is there and closes it at the end of the test. Without a
// DATABASE_URL nobody is there, and nobody is waited for.
func Open(t testing.TB, cfg config.Config, logger *slog.Logger) *database.Database {
	t.Helper()
	db, err := database.Open(cfg, logger, queries.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if cfg.Database.URL.Reveal() == "" {
		return db
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := db.Ready(t.Context())
		if err == nil {
			return db
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// server is a PostgreSQL with a database that others are copied from.
type server struct {
	url      *url.URL
	isShared bool // with other processes
	template string
}

var prepared = sync.OnceValues(prepare)

func prepare() (*server, error) {
	text := os.Getenv("DATABASE_URL")
	s := &server{isShared: text != ""}
	var err error
	if s.isShared {
		config.ForgetPGVariables()
	} else if text, _, err = local.Start(""); err != nil {
		return nil, err
	}
	if s.url, err = url.Parse(text); err != nil || s.url.Scheme == "" {
		return nil, errors.New("DATABASE_URL: the tests need a URL like postgres://app@db.example:5432/app")
	}
	return s, s.makeTemplate(context.Background())
}

// makeTemplate makes the database that others are copied from, unless another process has. Its name changes with the schema.
func (s *server) makeTemplate(ctx context.Context) error {
	s.template = "template_" + database.Fingerprint(queries.Schema())
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", s.template); err != nil {
		return err
	}
	var isThere bool
	query := "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
	if err := conn.QueryRow(ctx, query, s.template).Scan(&isThere); err != nil || isThere {
		return err
	}
	unfinished := s.template + "_unfinished"
	err = errors.Join(
		s.exec(ctx, "DROP DATABASE IF EXISTS %s", unfinished),
		s.exec(ctx, "CREATE DATABASE %s", unfinished),
	)
	if err == nil {
		err = database.Migrate(ctx, config.NewSecret(s.urlOf(unfinished)), io.Discard, queries.Schema())
	}
	if err == nil {
		err = s.exec(ctx, "ALTER DATABASE %s RENAME TO %s", unfinished, s.template)
	}
	return err
}

func (s *server) urlOf(name string) string {
	other, query := *s.url, s.url.Query()
	query.Del("dbname") // it would count instead of the path, and so would the other
	query.Del("database")
	other.Path, other.RawQuery = "/"+name, query.Encode()
	return other.String()
}

func (s *server) connect(ctx context.Context) (*pgx.Conn, error) {
	settings, err := pgxpool.ParseConfig(s.url.String()) // it may have parameters of the pool
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, settings.ConnConfig)
}

// exec runs a statement with the names of databases in it.
func (s *server) exec(ctx context.Context, statement string, names ...any) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, fmt.Sprintf(statement, names...))
	return err
}
