package ippclient

import (
	"context"
	"time"
)

// detachedContext has the values of another context and not its end.
type detachedContext struct{ context.Context }

func (detachedContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (detachedContext) Done() <-chan struct{}       { return nil }
func (detachedContext) Err() error                  { return nil }

func detached(ctx context.Context) context.Context { return detachedContext{ctx} }
