// place follows into client/go/examples/postgresplace. ../../place_test.py has what it does.
package main

import (
	"context"
	"database/sql"
	"errors"
	"log"
	"os"
	"time"

	_ "github.com/lib/pq"

	"kustom.co/ipp/examples/postgresplace"
	"kustom.co/ipp/ippclient"
	"kustom.co/ipp/ippv1"
)

var errBroken = errors.New("broken")

func main() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, err := sql.Open("postgres", os.Getenv("DATABASE"))
	must(err)
	place, err := postgresplace.New(ctx, db, "books")
	must(err)
	timing := ippclient.Timing{FirstStreamPause: 10 * time.Millisecond, LongestStreamPause: 50 * time.Millisecond}
	client, err := ippclient.New(os.Getenv("GATEWAY"), ippclient.Options{Timing: timing})
	must(err)
	defer client.Close()
	request := &ippv1.SubscribeSessionEventsRequest{Start: &ippv1.SubscribeSessionEventsRequest_Position{
		Position: ippv1.StartPosition_START_POSITION_FROM_OLDEST}}
	err = ippclient.FollowInto[*sql.Tx](ctx, client, place, request,
		func(ctx context.Context, tx *sql.Tx, event *ippv1.SessionEvent) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO books VALUES ($1)", event.EventId); err != nil {
				return err
			}
			switch event.EventId {
			case os.Getenv("FAIL_AT"):
				return errBroken
			case "e4":
				stop()
			}
			return nil
		})
	if errors.Is(err, errBroken) {
		os.Exit(3)
	}
	must(err)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
