package database

import (
	"context"
	"encoding/json/v2"
	"errors"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

// keyAge is how long a key is remembered.
const keyAge = 24 * time.Hour

// Errors of a request with an idempotency key.
var (
	ErrInFlight  = errors.New("a request with this key is in progress")
	ErrKeyReused = errors.New("the key was used for another request")
)

// Claim is a request that must do its work once, however often it is sent.
// See https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/.
type Claim struct {
	Route   string
	Key     string
	Request []byte // a hash of the request
}

// Answer is what the client got the first time.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Once is InTx for a request with an idempotency key. The transaction that does the work stores the answer too, so that
// either both are there or none. If the answer is stored already, Once returns it and does nothing.
func (d *Database) Once(
	ctx context.Context, claim Claim, do func(ctx context.Context, tx Tx) (Answer, error),
) (answer Answer, _ error) {
	var isStored bool
	begin := func(ctx context.Context, conn *pgx.Conn) (err error) {
		answer, isStored, err = d.claim(ctx, conn, claim)
		return err
	}
	work := func(ctx context.Context, tx Tx) (err error) {
		if !isStored {
			answer, err = do(ctx, tx)
		}
		return err
	}
	end := func(ctx context.Context, conn *pgx.Conn) error {
		if isStored {
			return commit(ctx, conn)
		}
		return store(ctx, conn, claim, answer)
	}
	err := d.transaction(ctx, begin, work, end)
	return answer, err
}

// claim begins the transaction in one round trip. The lock tells whether a transaction with the key is in flight: to insert
// the key first would wait for it.
func (d *Database) claim(ctx context.Context, conn *pgx.Conn, claim Claim) (answer Answer, isStored bool, _ error) {
	var isFree bool
	var request []byte
	var header string
	batch := &pgx.Batch{}
	batch.Queue("begin isolation level read committed") // in a stricter one, the look-up would not see who had the lock before
	if limit := d.localLimits(conn); limit != "" {
		batch.Queue(limit)
	}
	batch.Queue("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", claim.Route+" "+claim.Key).QueryRow(
		func(row pgx.Row) error { return row.Scan(&isFree) })
	batch.Queue(
		"SELECT request, status, header, body FROM idempotency_keys WHERE route = $1 AND key = $2 AND expires_at > now()",
		claim.Route, claim.Key,
	).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&request, &answer.Status, &header, &answer.Body)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		isStored = true
		return errors.Join(err, json.Unmarshal([]byte(header), &answer.Header))
	})
	switch err := conn.SendBatch(ctx, batch).Close(); {
	case err != nil:
		return Answer{}, false, err
	case !isFree:
		return Answer{}, false, ErrInFlight
	case isStored && string(request) != string(claim.Request):
		return Answer{}, false, ErrKeyReused
	}
	return answer, isStored, nil
}

// store commits the transaction with its answer, in one round trip.
func store(ctx context.Context, conn *pgx.Conn, claim Claim, answer Answer) error {
	header, err := json.Marshal(answer.Header)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO idempotency_keys (route, key, request, status, header, body, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
		ON CONFLICT (route, key) DO UPDATE SET request = excluded.request, status = excluded.status,
			header = excluded.header, body = excluded.body, expires_at = excluded.expires_at`,
		claim.Route, claim.Key, claim.Request, answer.Status, string(header), answer.Body, keyAge.Seconds())
	batch.Queue("commit")
	results := conn.SendBatch(ctx, batch)
	if _, err := results.Exec(); err != nil {
		_ = results.Close()
		return err
	}
	tag, err := results.Exec()
	return errors.Join(committed(tag, err), results.Close())
}

// sweep removes expired keys until ctx is done.
func (d *Database) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepPause):
			if err := d.removeExpiredKeys(ctx); err != nil && ctx.Err() == nil {
				d.logger.Warn("expired idempotency keys remain", "error", err)
			}
		}
	}
}

// removeExpiredKeys removes some at a time, so that it gets on however many there are.
func (d *Database) removeExpiredKeys(ctx context.Context) error {
	for {
		tag, err := d.Exec(ctx, `DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
			SELECT ctid FROM idempotency_keys WHERE expires_at < now() LIMIT 1000 FOR UPDATE SKIP LOCKED))`)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
	}
}
