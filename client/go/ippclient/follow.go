package ippclient

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"kustom.co/ipp/ippv1"
)

// Place is where a follower is, kept in the handler's own database: the cursor moves in the transaction of what the
// handler wrote, so that both are there or neither. examples/postgresplace is one for PostgreSQL.
type Place[Tx any] interface {
	// Load returns the cursor; "" at the very first start.
	Load(ctx context.Context) (string, error)
	// InTransaction commits when `work` returns nil, else rolls back and returns its error.
	InTransaction(ctx context.Context, work func(tx Tx) error) error
	// Store writes the cursor in the transaction.
	Store(ctx context.Context, tx Tx, cursor string) error
}

// Follower is a way through the event log.
type Follower struct {
	// OnEvent takes an event. What it returns ends Run; the cursor stays before that event.
	OnEvent func(ctx context.Context, event *ippv1.SessionEvent) error
	// OnCursor hears of a place without an event; may be nil.
	OnCursor func(ctx context.Context, cursor string) error
	// OnSkipped hears that events were lost to retention (only with SKIP_TO_OLDEST); may be nil.
	OnSkipped func()

	client  *Client
	request *ippv1.SubscribeSessionEventsRequest
	cursor  string
}

// Follow makes a follower: every event, once, in order, to this one program, which keeps Cursor. Call Run.
func (c *Client) Follow(request *ippv1.SubscribeSessionEventsRequest,
	onEvent func(context.Context, *ippv1.SessionEvent) error) *Follower {
	request = proto.Clone(request).(*ippv1.SubscribeSessionEventsRequest)
	if request.HeartbeatInterval == nil {
		request.HeartbeatInterval = durationpb.New(c.timing.Heartbeat)
	}
	return &Follower{OnEvent: onEvent, client: c, request: request, cursor: request.GetAfterCursor()}
}

// Cursor is the place behind what was taken: OnEvent has returned nil for everything before it. Not while Run runs in
// another goroutine.
func (f *Follower) Cursor() string { return f.cursor }

// Run follows until the context ends, which returns nil, until OnEvent or OnCursor returns an error, or until an *Error
// that a new stream does not heal.
func (f *Follower) Run(ctx context.Context) error {
	pauses := pauses{first: f.client.timing.FirstStreamPause, longest: f.client.timing.LongestStreamPause}
	for ctx.Err() == nil {
		var own error
		err := f.oneStream(ctx, &pauses, &own)
		if own != nil {
			return own
		}
		if ctx.Err() != nil {
			return nil
		}
		asked, final := streamEnded(err, f.request.OnCursorExpired)
		if final != nil {
			return final
		}
		wait(ctx, pauses.next(asked))
	}
	return nil
}

func (f *Follower) oneStream(ctx context.Context, pauses *pauses, own *error) error {
	if f.cursor != "" {
		f.request.Start = &ippv1.SubscribeSessionEventsRequest_AfterCursor{AfterCursor: f.cursor}
	}
	silence := 3 * f.request.HeartbeatInterval.AsDuration()
	return eachMessage(ctx, silence, func(ctx context.Context) (ippv1.SessionEventService_SubscribeSessionEventsClient, error) {
		return f.client.Events.SubscribeSessionEvents(ctx, f.request)
	}, func(message *ippv1.SubscribeSessionEventsResponse) error {
		if started := message.GetStarted(); started == nil {
			pauses.reset()
		} else if started.Skipped && f.OnSkipped != nil {
			f.OnSkipped()
		}
		*own = f.take(ctx, message)
		return *own
	})
}

func (f *Follower) take(ctx context.Context, message *ippv1.SubscribeSessionEventsResponse) error {
	if event := message.GetEvent(); event != nil {
		if err := f.OnEvent(ctx, event); err != nil {
			return err
		}
		f.cursor = event.Cursor
		return nil
	}
	// The message is one of these three, or newer than this package.
	cursor := message.GetStarted().GetCursor() + message.GetHeartbeat().GetCursor() + message.GetGoodbye().GetCursor()
	if cursor == "" {
		return nil
	}
	f.cursor = cursor
	if f.OnCursor != nil {
		return f.OnCursor(ctx, cursor)
	}
	return nil
}

// streamEnded says how long the gateway asks to wait before a new stream, or that a new one heals nothing.
func streamEnded(err error, policy ippv1.CursorExpiredPolicy) (asked time.Duration, final error) {
	var said *Error
	if !errors.As(err, &said) {
		return 0, err // nil: it ended with OK
	}
	expired := said.Code == codes.OutOfRange && policy != ippv1.CursorExpiredPolicy_CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST
	if expired || !retryHeals(said.Code) {
		return 0, said
	}
	return said.RetryDelay, nil
}

// FollowInto follows with the cursor kept in the handler's own transaction. `request` says where the first start is. What
// the handler returns rolls its transaction back and ends the call; the next one begins with that event. The end of the
// context does not cut a transaction off: one that has begun may finish.
func FollowInto[Tx any](ctx context.Context, client *Client, place Place[Tx], request *ippv1.SubscribeSessionEventsRequest,
	handler func(ctx context.Context, tx Tx, event *ippv1.SessionEvent) error) error {
	cursor, err := place.Load(ctx)
	if err != nil {
		return err
	}
	follower := client.Follow(request, func(ctx context.Context, event *ippv1.SessionEvent) error {
		ctx = detached(ctx)
		return place.InTransaction(ctx, func(tx Tx) error {
			if err := handler(ctx, tx, event); err != nil {
				return err
			}
			return place.Store(ctx, tx, event.Cursor)
		})
	})
	if cursor != "" {
		follower.cursor = cursor
	}
	follower.OnCursor = func(ctx context.Context, cursor string) error {
		ctx = detached(ctx)
		return place.InTransaction(ctx, func(tx Tx) error { return place.Store(ctx, tx, cursor) })
	}
	return follower.Run(ctx)
}
