// Package postgresplace is a place on PostgreSQL: the cursor moves in the transaction of what the handler writes.
//
//	place, err := postgresplace.New(ctx, db, "bookkeeping")
//	err = ippclient.FollowInto[*sql.Tx](ctx, client, place, request, keep) // keep writes with the *sql.Tx
package postgresplace

import (
	"context"
	"database/sql"
	"errors"
)

const (
	table = "CREATE TABLE IF NOT EXISTS ipp_place (name text PRIMARY KEY, cursor text NOT NULL)"
	load  = "SELECT cursor FROM ipp_place WHERE name = $1"
	store = "INSERT INTO ipp_place VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor"
)

// Place is one row of a table, by name. With any driver of database/sql.
type Place struct {
	db   *sql.DB
	name string
}

// New makes the table unless it is there.
func New(ctx context.Context, db *sql.DB, name string) (*Place, error) {
	_, err := db.ExecContext(ctx, table)
	return &Place{db: db, name: name}, err
}

// Load returns the cursor; "" at the very first start.
func (p *Place) Load(ctx context.Context) (string, error) {
	var cursor string
	err := p.db.QueryRowContext(ctx, load, p.name).Scan(&cursor)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return cursor, err
}

// InTransaction commits when `work` returns nil, else rolls back.
func (p *Place) InTransaction(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		_ = tx.Rollback() // what `work` said is what matters
		return err
	}
	return tx.Commit()
}

// Store writes the cursor in the transaction.
func (p *Place) Store(ctx context.Context, tx *sql.Tx, cursor string) error {
	_, err := tx.ExecContext(ctx, store, p.name, cursor)
	return err
}
