package ippclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"kustom.co/ipp/ippv1"
)

const longestReason = 1024 // bytes

// Retry is returned by a handler: not now, deliver the event again. Reason is for people, and holds no secrets. Delay 0:
// as the gateway thinks right.
type Retry struct {
	Reason string
	Delay  time.Duration
}

func (r *Retry) Error() string { return "retry: " + r.Reason }

// Park is returned by a handler: the event cannot be handled, set it aside for people. The session goes on.
type Park struct{ Reason string }

func (p *Park) Error() string { return "park: " + p.Reason }

// Handler takes one event. nil acknowledges it; *Retry and *Park do what they say; any other error is a retry, of which
// only the type is sent. The context ends when the lease is lost, not at a stop: a handler that has begun may finish.
type Handler func(ctx context.Context, delivery *Delivery) error

// ConsumeOptions of Consume; the zero value is fine.
type ConsumeOptions struct {
	MaxInFlight int    // events that this pod may have at once: 16
	Parallel    int    // handlers that run at once: MaxInFlight
	Consumer    string // for people: the host's name
	SkipExpired bool   // go on behind events that retention has removed
	// Hears of each lease that another pod has got; may be nil.
	OnLeaseLost func(*Delivery)
}

// Consume handles the events of a shared subscription, in one pod or ten: each goes to one of them, at least once. It
// makes the subscription first, unless that is there; with other settings that is SUBSCRIPTION_EXISTS. A subscription
// without `start` must be there.
//
// Long handlers keep their leases. The end of the context gives back what no handler has begun, waits for the others
// (Timing.Stop), and returns nil. Else it returns an *Error that no new stream heals.
func (c *Client) Consume(ctx context.Context, subscription *ippv1.SharedSubscription, handler Handler,
	options ConsumeOptions) error {
	if options.MaxInFlight == 0 {
		options.MaxInFlight = 16
	}
	if options.Parallel == 0 {
		options.Parallel = options.MaxInFlight
	}
	if options.Consumer == "" {
		options.Consumer, _ = os.Hostname()
	}
	if subscription.Start != nil {
		if err := c.makeSubscription(ctx, subscription); err != nil {
			return err
		}
	}
	policy := ippv1.CursorExpiredPolicy_CURSOR_EXPIRED_POLICY_FAIL
	if options.SkipExpired {
		policy = ippv1.CursorExpiredPolicy_CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST
	}
	run := &consuming{
		client: c, handler: handler, parallel: options.Parallel,
		settler: newSettler(c, subscription.Name, options.OnLeaseLost),
		pauses:  pauses{first: c.timing.FirstStreamPause, longest: c.timing.LongestStreamPause},
		request: &ippv1.ReceiveSessionEventsRequest{
			Subscription: subscription.Name, MaxInFlight: int32(options.MaxInFlight), Consumer: options.Consumer,
			OnCursorExpired: policy, HeartbeatInterval: durationpb.New(c.timing.Heartbeat)},
	}
	return run.run(ctx)
}

func (c *Client) makeSubscription(ctx context.Context, subscription *ippv1.SharedSubscription) error {
	pauses := pauses{first: c.timing.FirstPause, longest: c.timing.LongestPause}
	until := time.Now().Add(c.timing.Create)
	for {
		limited, cancel := context.WithTimeout(ctx, c.timing.Call)
		_, err := c.Subscriptions.CreateSharedSubscription(limited,
			&ippv1.CreateSharedSubscriptionRequest{Subscription: subscription})
		cancel()
		if err == nil || ctx.Err() != nil {
			return nil
		}
		said := Decode(err)
		pause := pauses.next(said.RetryDelay)
		late := said.Code == codes.DeadlineExceeded // the same settings again make nothing twice
		if !(late || mayRepeat(said)) || time.Now().Add(pause).After(until) {
			return said
		}
		wait(ctx, pause)
	}
}

// consuming is one run of Consume.
type consuming struct {
	client   *Client
	request  *ippv1.ReceiveSessionEventsRequest
	handler  Handler
	settler  *settler
	parallel int
	pauses   pauses

	mutex   sync.Mutex
	queue   []*Delivery // in the order of the stream
	active  int
	running sync.WaitGroup
}

func (r *consuming) run(ctx context.Context) error {
	defer r.finish()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // at once, also while a message is waited for
		<-ctx.Done()
		r.settler.releaseWaiting()
	}()
	for ctx.Err() == nil {
		err := r.oneStream(ctx)
		if ctx.Err() != nil {
			return nil
		}
		asked, final := streamEnded(err, r.request.OnCursorExpired)
		if final != nil {
			return final
		}
		wait(ctx, r.pauses.next(asked))
	}
	return nil
}

// finish gives back what no handler has begun, and waits for the others.
func (r *consuming) finish() {
	r.settler.releaseWaiting()
	done := make(chan struct{})
	go func() {
		r.running.Wait()
		close(done)
	}()
	limit := time.NewTimer(r.client.timing.Stop)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	}
	r.settler.close(r.client.timing.Stop)
}

func (r *consuming) oneStream(ctx context.Context) error {
	lease := 30 * time.Second
	return eachMessage(ctx, r.client.timing.silence(), func(ctx context.Context) (ippv1.SharedSubscriptionService_ReceiveSessionEventsClient, error) {
		return r.client.Subscriptions.ReceiveSessionEvents(ctx, r.request)
	}, func(message *ippv1.ReceiveSessionEventsResponse) error {
		if started := message.GetStarted(); started != nil {
			if given := started.GetSubscription().GetLease(); given != nil {
				lease = given.AsDuration()
			}
			return nil
		}
		r.pauses.reset()
		if leased := message.GetLeased(); leased != nil {
			delivery := r.settler.hold(leased, lease)
			if ctx.Err() != nil {
				r.settler.releaseWaiting()
				return nil
			}
			r.begin(delivery)
		}
		return nil
	})
}

// begin starts handlers, in order, while there is room for them.
func (r *consuming) begin(more ...*Delivery) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.queue = append(r.queue, more...)
	for r.active < r.parallel && len(r.queue) > 0 {
		delivery := r.queue[0]
		r.queue = r.queue[1:]
		if !r.settler.begin(delivery) { // given back, or lost, before its turn
			continue
		}
		r.active++
		r.running.Add(1)
		go r.handle(delivery)
	}
}

func (r *consuming) handle(delivery *Delivery) {
	defer r.running.Done()
	err := r.handler(delivery.context, delivery)
	if !delivery.LeaseLost() && !errors.Is(err, ErrLeaseLost) {
		r.settler.settle(delivery, settlementOf(err))
	}
	r.mutex.Lock()
	r.active--
	r.mutex.Unlock()
	r.begin()
}

func settlementOf(err error) *ippv1.Settlement {
	var retry *Retry
	var park *Park
	switch {
	case err == nil:
		return &ippv1.Settlement{Action: &ippv1.Settlement_Acknowledge{Acknowledge: &ippv1.AcknowledgeEvent{}}}
	case errors.As(err, &park):
		return &ippv1.Settlement{Action: &ippv1.Settlement_Park{Park: &ippv1.ParkEvent{Reason: cut(park.Reason)}}}
	case errors.As(err, &retry):
		asked := &ippv1.RetryEvent{Reason: cut(retry.Reason)}
		if retry.Delay > 0 {
			asked.Delay = durationpb.New(retry.Delay)
		}
		return &ippv1.Settlement{Action: &ippv1.Settlement_Retry{Retry: asked}}
	}
	// Its text may hold secrets.
	return &ippv1.Settlement{Action: &ippv1.Settlement_Retry{Retry: &ippv1.RetryEvent{Reason: fmt.Sprintf("%T", err)}}}
}

func cut(reason string) string {
	if len(reason) > longestReason {
		reason = reason[:longestReason]
	}
	return strings.ToValidUTF8(reason, "")
}
