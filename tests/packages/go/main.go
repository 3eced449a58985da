// The driver of the Go package: ../README.md has the orders.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"kustom.co/ipp/ippclient"
	"kustom.co/ipp/ippv1"
)

type order struct {
	Do       string
	Address  string
	Timing   map[string]float64
	Timeout  float64
	Request  json.RawMessage
	Resumed  bool
	OnStop   string `json:"on_stop"`
	Take     int
	FailAt   string             `json:"fail_at"`
	SlowMs   map[string]float64 `json:"slow_ms"`
	Place    bool
	Handle   map[string]string
	Make     bool
	Parallel int
}

type answer map[string]any

var writing sync.Mutex

func write(a answer) {
	line, _ := json.Marshal(a)
	writing.Lock()
	defer writing.Unlock()
	fmt.Println(string(line))
}

func note(what, event string) { write(answer{"note": what, "event": event}) }

func seconds(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }

func timing(t map[string]float64) ippclient.Timing {
	return ippclient.Timing{
		Call: seconds(t["call"]), Create: seconds(t["create"]), AnswerAllowance: seconds(t["answer_allowance"]),
		Look: seconds(t["look"]), FirstPause: seconds(t["first_pause"]), LongestPause: seconds(t["longest_pause"]),
		FirstStreamPause: seconds(t["first_stream_pause"]), LongestStreamPause: seconds(t["longest_stream_pause"]),
		Heartbeat: seconds(t["heartbeat"]), Keepalive: seconds(t["keepalive"]),
		KeepaliveAnswer: seconds(t["keepalive_answer"]), Stop: seconds(t["stop"]),
	}
}

var errBroken = errors.New("broken")

type secretError struct{}

func (secretError) Error() string { return "the password is hunter2" }

func raised(err error) string {
	var said *ippclient.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errBroken):
		return "handler"
	case errors.As(err, &said) && said.Reason != "":
		return said.Reason
	case errors.As(err, &said):
		return said.Code.String()
	}
	return err.Error()
}

// books are a place in memory: what a transaction wrote is there once it has committed.
type books struct {
	events []string
	cursor string
}

func (b *books) Load(context.Context) (string, error) { return b.cursor, nil }

func (b *books) InTransaction(_ context.Context, work func(*books) error) error {
	written := &books{cursor: b.cursor}
	if err := work(written); err != nil {
		return err
	}
	b.events, b.cursor = append(b.events, written.events...), written.cursor
	return nil
}

func (b *books) Store(_ context.Context, tx *books, cursor string) error {
	tx.cursor = cursor
	return nil
}

type run struct {
	order  order
	client *ippclient.Client
	ctx    context.Context
	stop   context.CancelFunc
	goes   chan struct{}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (r *run) collect() answer {
	request := &ippv1.CreateSessionRequest{}
	must(protojson.Unmarshal(r.order.Request, request))
	steps := []string{}
	payment := r.client.Collect(r.ctx, request, ippclient.CollectOptions{
		Timeout: seconds(r.order.Timeout), Resumed: r.order.Resumed, LeaveSession: r.order.OnStop == "LEAVE_SESSION",
		OnStep: func(step *ippv1.WatchSessionResponse) {
			steps = append(steps, strings.TrimPrefix(step.Session.Status.String(), "SESSION_STATUS_"))
		}})
	return answer{"money": payment.Money, "end": payment.End, "request_id": payment.RequestID,
		"order_id": payment.Session.OrderId, "steps": steps}
}

func (r *run) follow() answer {
	request := &ippv1.SubscribeSessionEventsRequest{}
	must(protojson.Unmarshal(r.order.Request, request))
	seen, skipped, kept := []string{}, false, &books{events: []string{}}
	handle := func(event *ippv1.SessionEvent) error {
		seen = append(seen, event.EventId)
		note("handling", event.EventId)
		if event.EventId == r.order.FailAt {
			return errBroken
		}
		if slow := r.order.SlowMs[event.EventId]; slow > 0 {
			select {
			case <-r.goes:
			case <-time.After(seconds(slow / 1000)):
			}
		}
		if len(seen) == r.order.Take {
			r.stop()
		}
		return nil
	}
	if r.order.Place {
		err := ippclient.FollowInto[*books](r.ctx, r.client, kept, request,
			func(_ context.Context, tx *books, event *ippv1.SessionEvent) error {
				tx.events = append(tx.events, event.EventId)
				return handle(event)
			})
		return answer{"events": seen, "raised": raised(err), "cursor": kept.cursor, "skipped": false, "kept": kept.events}
	}
	follower := r.client.Follow(request, func(_ context.Context, event *ippv1.SessionEvent) error { return handle(event) })
	follower.OnSkipped = func() { skipped = true }
	err := follower.Run(r.ctx)
	return answer{"events": seen, "raised": raised(err), "cursor": follower.Cursor(), "skipped": skipped}
}

func (r *run) consume() answer {
	var mutex sync.Mutex
	seen, lost, told := []string{}, []string{}, []string{}
	add := func(list *[]string, event string) {
		mutex.Lock()
		defer mutex.Unlock()
		*list = append(*list, event)
	}
	subscription := &ippv1.SharedSubscription{Name: "books"}
	if r.order.Make {
		subscription.Start = &ippv1.SharedSubscriptionStart{Place: &ippv1.SharedSubscriptionStart_Position{
			Position: ippv1.StartPosition_START_POSITION_FROM_NOW}}
	}
	err := r.client.Consume(r.ctx, subscription, func(ctx context.Context, delivery *ippclient.Delivery) error {
		event := delivery.Event.EventId
		add(&seen, event)
		note("handling", event)
		switch r.order.Handle[event] {
		case "retry":
			return &ippclient.Retry{Reason: "not yet", Delay: 7 * time.Second}
		case "park":
			return &ippclient.Park{Reason: "no such order"}
		case "throw":
			return secretError{}
		case "hold":
			<-r.goes
		case "until_lost":
			<-ctx.Done()
			add(&told, event)
			return ctx.Err()
		case "check":
			err := delivery.Check(ctx)
			if errors.Is(err, ippclient.ErrLeaseLost) {
				add(&told, event)
			}
			return err
		}
		return nil
	}, ippclient.ConsumeOptions{Parallel: r.order.Parallel, OnLeaseLost: func(delivery *ippclient.Delivery) {
		add(&lost, delivery.Event.EventId)
		note("lost", delivery.Event.EventId)
	}})
	return answer{"events": seen, "lost": lost, "told": told, "raised": raised(err)}
}

func begin(o order) *run {
	client, err := ippclient.New(o.Address, ippclient.Options{Timing: timing(o.Timing)})
	must(err)
	r := &run{order: o, client: client, goes: make(chan struct{})}
	r.ctx, r.stop = context.WithCancel(context.Background())
	go func() {
		defer client.Close()
		write(map[string]func() answer{"collect": r.collect, "follow": r.follow, "consume": r.consume}[o.Do]())
	}()
	return r
}

func main() {
	var current *run
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		must(json.Unmarshal(lines.Bytes(), &o))
		switch o.Do {
		case "stop":
			current.stop()
		case "go":
			close(current.goes)
		default:
			current = begin(o)
		}
	}
}
