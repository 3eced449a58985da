package ippclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
)

type receiver[M any] interface{ Recv() (M, error) }

// errEnough ends a stream that has done what it was for.
var errEnough = errors.New("enough")

// eachMessage opens a stream and calls `take` with each message until the stream ends: nil when it ended with OK, or the
// *Error, or what `take` returned. A stream that is silent for so long is ended; only the wait for a message counts, so a
// slow handler is no silence.
func eachMessage[M any, S receiver[M]](ctx context.Context, silence time.Duration,
	open func(context.Context) (S, error), take func(M) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var silent atomic.Bool
	watch := time.AfterFunc(silence, func() {
		silent.Store(true)
		cancel()
	})
	defer watch.Stop()
	said := func(err error) error {
		if silent.Load() {
			return &Error{Code: codes.Unavailable, Message: fmt.Sprintf("no message and no heartbeat for %v", silence)}
		}
		return Decode(err)
	}
	stream, err := open(ctx)
	if err != nil {
		return said(err)
	}
	for {
		message, err := stream.Recv()
		watch.Stop()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return said(err)
		}
		if err := take(message); err != nil {
			return err
		}
		watch.Reset(silence)
	}
}
