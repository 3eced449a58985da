package ippclient

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"kustom.co/ipp/ippv1"
)

// Money says whether a payment was paid.
type Money string

// What became of the money. After MoneyNotKnown collect the same request again, with Resumed.
const (
	MoneyPaid     Money = "PAID"
	MoneyNotPaid  Money = "NOT_PAID"
	MoneyNotKnown Money = "NOT_KNOWN"
)

// End is how a payment ended.
type End string

// The ends. NOT_CREATED: there is no session and there will be none. STOPPED: the context or the timeout came first.
// GAVE_UP: an error that no new try heals. After the last two the session may go on.
const (
	EndPaid       End = "PAID"
	EndCancelled  End = "CANCELLED"
	EndExpired    End = "EXPIRED"
	EndFailed     End = "FAILED"
	EndNotCreated End = "NOT_CREATED"
	EndStopped    End = "STOPPED"
	EndGaveUp     End = "GAVE_UP"
)

// Payment is what became of one.
type Payment struct {
	Money     Money
	End       End
	Session   *ippv1.Session // as last seen; empty if none was
	RequestID string
	Err       *Error // why, where it is not the session's own end; else nil
}

// CollectOptions of Collect; the zero value is fine.
type CollectOptions struct {
	Timeout time.Duration // of the whole payment: 10 min
	// The request_id may have been sent before, by a process that ended before it knew the result.
	Resumed bool
	// At the end of the context, or the timeout, the session goes on and is only no longer watched. Else it is cancelled,
	// and the result says what became true: paid, if that was faster.
	LeaveSession bool
	// Called with each step, on the goroutine of Collect.
	OnStep func(*ippv1.WatchSessionResponse)
}

// Collect creates the session once, follows it to its end, and says what became of the money. Set request.RequestId
// (NewRequestID) and keep it with the order first; an empty one is filled in. The end of the context stops the payment.
func (c *Client) Collect(ctx context.Context, request *ippv1.CreateSessionRequest, options CollectOptions) Payment {
	if options.Timeout == 0 {
		options.Timeout = 10 * time.Minute
	}
	request = proto.Clone(request).(*ippv1.CreateSessionRequest)
	if request.RequestId == "" {
		request.RequestId = NewRequestID()
	}
	ctx, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	// What must be done after the stop, too, has this context.
	after, cancelAfter := context.WithCancel(detached(ctx))
	defer cancelAfter()
	go func() {
		<-ctx.Done()
		if !options.LeaveSession {
			wait(after, c.timing.Stop)
		}
		cancelAfter()
	}()
	run := &collecting{
		client: c, request: request, options: options, ctx: ctx, after: after, session: &ippv1.Session{},
		mayLookUp: true, createUntil: time.Now().Add(c.timing.Create + c.timing.AnswerAllowance),
		pauses: pauses{first: c.timing.FirstPause, longest: c.timing.LongestPause},
	}
	return *run.run()
}
