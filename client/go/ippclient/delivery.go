package ippclient

import (
	"context"
	"time"

	"kustom.co/ipp/ippv1"
)

type state int

const (
	waiting state = iota // no handler has begun
	begun
	done // settled, or given back
)

// Delivery is an event under a lease. Event.EventId is the same in every attempt.
type Delivery struct {
	Event    *ippv1.SessionEvent
	Attempt  int  // 1 for the first delivery
	Redriven bool // it was parked

	lease   string
	length  time.Duration
	settler *settler
	context context.Context // ends when the lease is lost
	lose    context.CancelFunc

	// Guarded by the settler.
	state               state
	heldUntil, extendAt time.Time
}

// LeaseLost says that another pod has the event: commit nothing more for it.
func (d *Delivery) LeaseLost() bool { return d.context.Err() != nil }

// Check asks the gateway whether the event is still this handler's, and extends the lease: call it before a commit that
// must not happen twice. ErrLeaseLost, also when the gateway gives no answer.
func (d *Delivery) Check(ctx context.Context) error {
	if d.LeaseLost() {
		return ErrLeaseLost
	}
	answered := d.settler.extendNow(d)
	select {
	case <-answered:
	case <-d.context.Done():
	case <-ctx.Done(): // a handler's context ends with the lease
	}
	if d.LeaseLost() {
		return ErrLeaseLost
	}
	return ctx.Err()
}

// held: the lease lasts its whole length from `since` on, by the monotonic clock.
func (d *Delivery) held(since time.Time) {
	d.heldUntil, d.extendAt = since.Add(d.length), since.Add(d.length/3)
}
