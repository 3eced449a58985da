package ippclient

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
)

// NewRequestID is a UUID. Keep it with the order before the first call.
func NewRequestID() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // there is no source of random numbers
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Whether another try with the same request_id is safe and may help.
func mayRepeat(err *Error) bool {
	if err.Reason == "" { // gRPC's own: no connection, or one that broke
		return err.Code == codes.Unavailable
	}
	return (err.Code == codes.Unavailable || err.Code == codes.ResourceExhausted) && err.RetrySafe &&
		err.Outcome != Unknown
}

// tries are those of one create.
type tries struct {
	pauses         pauses
	lost, wordless bool
	last           *Error
}

// pauseAfter is how long to wait before the next try; false: there is none.
func (t *tries) pauseAfter(err *Error, left time.Duration) (time.Duration, bool) {
	t.last = err
	t.lost = t.lost || t.wordless
	t.wordless = err.Reason == ""
	pause := t.pauses.next(err.RetryDelay)
	return pause, mayRepeat(err) && pause < left
}

// verdict is the last error. Its NOT_SENT does not hold for an earlier try that may have reached the gateway.
func (t *tries) verdict() *Error {
	if !t.lost || t.last.Outcome != NotSent {
		return t.last
	}
	unsure := *t.last
	unsure.Outcome = Unknown
	return &unsure
}

// create makes a call by the rules of creates. The context only ends the pauses: an answer that is under way names what
// was made.
func create(ctx context.Context, timing Timing, resumed bool, call func(context.Context) error) *Error {
	until := time.Now().Add(timing.Create)
	tries := tries{pauses: pauses{first: timing.FirstPause, longest: timing.LongestPause}, lost: resumed}
	for {
		limited, cancel := context.WithDeadline(detached(ctx), until)
		err := call(limited)
		cancel()
		if err == nil {
			return nil
		}
		pause, again := tries.pauseAfter(Decode(err), time.Until(until))
		if !again || !wait(ctx, pause) {
			return tries.verdict()
		}
	}
}
