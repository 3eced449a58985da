package ippclient

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"kustom.co/ipp/ippv1"
)

const mostSettlements = 256 // in a call

// wish is one settlement that waits for its answer.
type wish struct {
	delivery   *Delivery
	settlement *ippv1.Settlement
	answered   chan struct{}
}

// settler settles leased events, many in one call, and extends what handlers still work at. A settlement is repeated until
// it is answered or its lease is over. Safe for concurrent use.
type settler struct {
	client       *Client
	subscription string
	tell         func(*Delivery)
	changed      chan struct{} // holds one when there is something to look at
	stop         chan struct{}
	stopped      chan struct{}

	mutex   sync.Mutex
	wishes  []*wish
	held    map[string]*Delivery
	busy    bool
	againAt time.Time
	pauses  pauses
}

func newSettler(client *Client, subscription string, tell func(*Delivery)) *settler {
	if tell == nil {
		tell = func(*Delivery) {}
	}
	s := &settler{
		client: client, subscription: subscription, tell: tell, changed: make(chan struct{}, 1),
		stop: make(chan struct{}), stopped: make(chan struct{}), held: map[string]*Delivery{},
		pauses: pauses{first: client.timing.FirstPause, longest: client.timing.LongestPause},
	}
	go s.run()
	return s
}

// hold: from now on the lease is extended, until it is settled or lost.
func (s *settler) hold(leased *ippv1.LeasedSessionEvent, length time.Duration) *Delivery {
	ctx, lose := context.WithCancel(context.Background())
	d := &Delivery{Event: leased.Event, Attempt: int(leased.Attempt), Redriven: leased.Redriven, lease: leased.Lease,
		length: length, settler: s, context: ctx, lose: lose}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	d.held(time.Now())
	s.held[d.lease] = d
	s.wake()
	return d
}

func (s *settler) settle(d *Delivery, settlement *ippv1.Settlement) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	d.state = done
	s.ask(d, settlement)
}

// releaseWaiting gives back what no handler has begun.
func (s *settler) releaseWaiting() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, d := range s.held {
		if d.state == waiting {
			d.state = done
			s.ask(d, &ippv1.Settlement{Action: &ippv1.Settlement_Release{Release: &ippv1.ReleaseEvent{}}})
		}
	}
}

// begin says whether a handler may begin: the event is still held, and not given back.
func (s *settler) begin(d *Delivery) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if d.state != waiting || d.LeaseLost() {
		return false
	}
	d.state = begun
	return true
}

func (s *settler) extendNow(d *Delivery) chan struct{} {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.extend(d).answered
}

// close ends the goroutine once everything is answered; at the latest after so long.
func (s *settler) close(limit time.Duration) {
	until := time.Now().Add(limit)
	for time.Now().Before(until) {
		s.mutex.Lock()
		idle := len(s.wishes) == 0 && !s.busy
		s.mutex.Unlock()
		if idle {
			break
		}
		wait(context.Background(), 5*time.Millisecond)
	}
	close(s.stop)
	<-s.stopped
}

func (s *settler) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *settler) ask(d *Delivery, settlement *ippv1.Settlement) *wish {
	settlement.Lease = d.lease
	w := &wish{delivery: d, settlement: settlement, answered: make(chan struct{})}
	s.wishes = append(s.wishes, w)
	s.wake()
	return w
}

func (s *settler) extend(d *Delivery) *wish {
	d.extendAt = d.heldUntil // once; the answer says when again
	return s.ask(d, &ippv1.Settlement{Action: &ippv1.Settlement_Extend{
		Extend: &ippv1.ExtendLease{By: durationpb.New(d.length)}}})
}

func (s *settler) run() {
	defer close(s.stopped)
	for {
		batch, pause := s.take()
		if len(batch) > 0 {
			s.call(batch)
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-s.stop:
			timer.Stop()
			return
		case <-s.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take is what is to be sent now, or how long until a lease is due.
func (s *settler) take() ([]*wish, time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now, due := time.Now(), time.Now().Add(time.Hour)
	sooner := func(when time.Time) {
		if when.Before(due) {
			due = when
		}
	}
	for _, d := range s.held {
		switch {
		case !now.Before(d.heldUntil):
			s.lost(d)
			continue
		case d.state != done && !now.Before(d.extendAt):
			s.extend(d)
		case d.state != done:
			sooner(d.extendAt)
		}
		sooner(d.heldUntil)
	}
	if len(s.wishes) == 0 {
		return nil, time.Until(due)
	}
	if now.Before(s.againAt) {
		sooner(s.againAt)
		return nil, time.Until(due)
	}
	count := len(s.wishes)
	if count > mostSettlements {
		count = mostSettlements
	}
	batch := append([]*wish(nil), s.wishes[:count]...)
	s.wishes = append([]*wish(nil), s.wishes[count:]...)
	s.busy = true
	return batch, 0
}

func (s *settler) call(batch []*wish) {
	request := &ippv1.SettleSessionEventsRequest{Subscription: s.subscription}
	for _, w := range batch {
		request.Settlements = append(request.Settlements, w.settlement)
	}
	sentAt := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), s.client.timing.Call)
	response, err := s.client.Subscriptions.SettleSessionEvents(ctx, request)
	cancel()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.busy = false
	if err != nil {
		s.failed(batch, Decode(err))
		return
	}
	s.pauses.reset()
	for number, w := range batch {
		if number < len(response.Results) && holds(response.Results[number].Outcome) {
			if w.settlement.GetExtend() != nil {
				w.delivery.held(sentAt)
			} else {
				delete(s.held, w.delivery.lease)
			}
		} else {
			s.lost(w.delivery)
		}
		close(w.answered)
	}
}

// failed: the answer may be lost. The same again does nothing twice.
func (s *settler) failed(batch []*wish, err *Error) {
	if !retryHeals(err.Code) {
		for _, w := range batch {
			s.lost(w.delivery)
		}
		return
	}
	s.wishes = append(append([]*wish(nil), batch...), s.wishes...)
	s.againAt = time.Now().Add(s.pauses.next(err.RetryDelay))
}

func holds(outcome ippv1.SettlementOutcome) bool {
	switch outcome {
	case ippv1.SettlementOutcome_SETTLEMENT_OUTCOME_SETTLED, ippv1.SettlementOutcome_SETTLEMENT_OUTCOME_EXTENDED,
		ippv1.SettlementOutcome_SETTLEMENT_OUTCOME_ALREADY_SETTLED:
		return true
	}
	return false
}

// lost tells it once, on a goroutine of its own: the program's code may take long.
func (s *settler) lost(d *Delivery) {
	if _, held := s.held[d.lease]; !held {
		return
	}
	delete(s.held, d.lease)
	d.lose()
	rest := s.wishes[:0:0]
	for _, w := range s.wishes {
		if w.delivery != d {
			rest = append(rest, w)
		}
	}
	s.wishes = rest
	go s.tell(d)
}
