package ippclient

import (
	"context"
	"math/rand"
	"time"
)

// Timing says how long things take, and how long they may. Zero values are the defaults, which are those of production;
// tests shorten them.
type Timing struct {
	Call               time.Duration // the deadline of one unary try: 10 s
	Create             time.Duration // no try of a create begins, or lasts, beyond it: 30 s
	AnswerAllowance    time.Duration // after Create: a try may still be on its way: 1 s
	Look               time.Duration // a session without an answer is waited for so long, then looked up again: 10 s
	FirstPause         time.Duration // before a call is repeated: 100 ms; doubles, and half of it is random
	LongestPause       time.Duration // 5 s
	FirstStreamPause   time.Duration // the same before a stream is begun again: 250 ms
	LongestStreamPause time.Duration // 30 s
	Heartbeat          time.Duration // asked of the gateway: 15 s; a stream that is silent three times as long is dead
	Keepalive          time.Duration // a connection in use is asked so often whether it lives: 30 s; at least 10 s
	KeepaliveAnswer    time.Duration // 10 s
	Stop               time.Duration // what is under way may take so long after a stop: 10 s
}

func (t Timing) withDefaults() Timing {
	for _, field := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&t.Call, 10 * time.Second}, {&t.Create, 30 * time.Second}, {&t.AnswerAllowance, time.Second},
		{&t.Look, 10 * time.Second}, {&t.FirstPause, 100 * time.Millisecond}, {&t.LongestPause, 5 * time.Second},
		{&t.FirstStreamPause, 250 * time.Millisecond}, {&t.LongestStreamPause, 30 * time.Second},
		{&t.Heartbeat, 15 * time.Second}, {&t.Keepalive, 30 * time.Second},
		{&t.KeepaliveAnswer, 10 * time.Second}, {&t.Stop, 10 * time.Second},
	} {
		if *field.value == 0 {
			*field.value = field.or
		}
	}
	return t
}

func (t Timing) silence() time.Duration { return 3 * t.Heartbeat }

// pauses are those before new tries: each twice as long as the one before, half of it random.
type pauses struct {
	first, longest time.Duration
	failures       int
}

// next is never shorter than the gateway asked for.
func (p *pauses) next(asked time.Duration) time.Duration {
	limit := p.first
	for i := 0; i < p.failures && limit < p.longest; i++ {
		limit *= 2
	}
	if limit > p.longest {
		limit = p.longest
	}
	p.failures++
	pause := limit/2 + time.Duration(rand.Int63n(int64(limit/2)+1))
	if pause < asked {
		pause = asked
	}
	if pause < 10*time.Millisecond {
		pause = 10 * time.Millisecond
	}
	return pause
}

func (p *pauses) reset() { p.failures = 0 }

// wait reports false when the context ended first.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
