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

// collecting is one run of Collect. `ctx` ends at the stop or the timeout, `after` when what that began must end, too.
type collecting struct {
	client      *Client
	request     *ippv1.CreateSessionRequest
	options     CollectOptions
	ctx, after  context.Context
	session     *ippv1.Session
	trouble     *Error
	mayLookUp   bool
	createUntil time.Time
	pauses      pauses
}

func (r *collecting) run() *Payment {
	if end := r.create(); end != nil {
		return end
	}
	for {
		if end, final := endOf(r.session.Status); final {
			return r.result(end, nil)
		}
		if r.after.Err() != nil {
			return r.stopped()
		}
		if r.session.SessionId == "" {
			if end := r.lookUp(); end != nil {
				return end
			}
		}
		if r.session.SessionId != "" && r.ctx.Err() != nil {
			if r.options.LeaveSession {
				return r.stopped()
			}
			return r.cancel()
		}
		err := r.watch()
		if _, final := endOf(r.session.Status); err == nil || final {
			continue
		}
		if err.Outcome == Rejected && r.session.SessionId == "" {
			return r.result(EndNotCreated, err)
		}
		if !retryHeals(err.Code) {
			return r.result(EndGaveUp, err)
		}
		r.note(err)
		r.pause(r.pauses.next(err.RetryDelay))
	}
}

func (r *collecting) pause(pause time.Duration) {
	if r.ctx.Err() == nil {
		wait(r.ctx, pause)
	} else {
		wait(r.after, pause)
	}
}

func (r *collecting) create() *Payment {
	if r.ctx.Err() != nil && !r.options.Resumed {
		return r.result(EndNotCreated, r.whyStopped())
	}
	// A text that is not UTF-8 cannot be sent, however often. Go's error names the field.
	if _, cannot := proto.Marshal(r.request); cannot != nil {
		r.trouble = &Error{Code: codes.InvalidArgument, Message: cannot.Error(), Reason: "INVALID_REQUEST", Outcome: NotSent}
		if !r.options.Resumed {
			return r.result(EndNotCreated, r.trouble)
		}
		r.createUntil = time.Now()
		return nil // an earlier create with this id may have any outcome: it is looked up
	}
	err := create(r.ctx, r.client.timing, r.options.Resumed, func(ctx context.Context) error {
		response, err := r.client.Sessions.CreateSession(ctx, r.request)
		if err == nil {
			r.heard(&ippv1.WatchSessionResponse{Session: response.Session})
		}
		return err
	})
	if err == nil {
		return nil
	}
	r.trouble = err
	// STORE_UNAVAILABLE sent nothing, but knows nothing of earlier calls under the same id.
	sentNothing := err.Outcome == NotSent && err.Reason != "STORE_UNAVAILABLE" && err.Reason != "REQUEST_ID_REUSED"
	if err.Outcome == Rejected || sentNothing {
		return r.result(EndNotCreated, err)
	}
	if err.Reason == "REQUEST_ID_REUSED" { // what exists under this id is another payment: it is not looked up
		return r.result(EndGaveUp, err)
	}
	return nil
}

// lookUp reads what the gateway has written down of the create.
func (r *collecting) lookUp() *Payment {
	if !r.mayLookUp {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.after, r.client.timing.Call)
	defer cancel()
	response, err := r.client.Outcomes.GetCreateOutcome(ctx, &ippv1.GetCreateOutcomeRequest{RequestId: r.request.RequestId})
	said := &Error{}
	if err != nil {
		said = Decode(err)
		r.mayLookUp = said.Code != codes.PermissionDenied && said.Code != codes.Unimplemented
	}
	outcome := response.GetOutcome()
	unheard := said.Reason == "CREATE_NOT_FOUND"
	switch {
	case unheard || outcome.GetState() == ippv1.CreateState_CREATE_STATE_NOT_SENT:
		if time.Now().Before(r.createUntil) { // a try may still be on its way
			return nil
		}
		reason := "UPSTREAM_UNAVAILABLE"
		if unheard {
			reason = said.Reason
		}
		return r.result(EndNotCreated, &Error{Code: codes.Unavailable, Message: "was not sent", Reason: reason, Outcome: NotSent})
	case outcome.GetState() == ippv1.CreateState_CREATE_STATE_REJECTED:
		return r.result(EndNotCreated, &Error{Code: codes.FailedPrecondition, Message: outcome.Message,
			Reason: outcome.Reason, Outcome: Rejected})
	}
	r.session.SessionId = outcome.GetSessionId() // when it is EXECUTED
	return nil
}

// watch follows the session to its end. nil: stopped, or not known yet; or the error that ended the stream.
func (r *collecting) watch() *Error {
	request := &ippv1.WatchSessionRequest{HeartbeatInterval: durationpb.New(r.client.timing.Heartbeat)}
	known := r.session.SessionId != ""
	ctx := r.ctx
	if known {
		request.Target = &ippv1.WatchSessionRequest_SessionId{SessionId: r.session.SessionId}
	} else {
		// A session that is not known yet is waited for after a stop, too, to cancel it.
		request.Target = &ippv1.WatchSessionRequest_RequestId{RequestId: r.request.RequestId}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(r.after, r.client.timing.Look)
		defer cancel()
	}
	count := 0
	err := eachMessage(ctx, r.client.timing.silence(), func(ctx context.Context) (ippv1.SessionService_WatchSessionClient, error) {
		return r.client.Sessions.WatchSession(ctx, request)
	}, func(message *ippv1.WatchSessionResponse) error {
		if count++; count > 1 {
			r.pauses.reset() // the first message alone proves no stream that works
		}
		if !message.Heartbeat {
			r.heard(message)
		} else if message.Session != nil {
			r.session = message.Session
		}
		if _, final := endOf(r.session.Status); final || (!known && r.session.SessionId != "") {
			return errEnough
		}
		return nil
	})
	var said *Error
	switch {
	case errors.Is(err, errEnough) || ctx.Err() != nil:
		return nil
	case errors.As(err, &said):
		return said
	}
	return &Error{Code: codes.Unavailable, Message: "the watch ended before the session did"}
}

func (r *collecting) cancel() *Payment {
	r.pauses.reset()
	for {
		var asked time.Duration
		response, err := r.client.Sessions.CancelSession(r.after, &ippv1.CancelSessionRequest{SessionId: r.session.SessionId})
		if err == nil {
			r.heard(&ippv1.WatchSessionResponse{Session: response.Session})
		} else if said := Decode(err); said.Reason == "SESSION_ALREADY_FINALIZED" {
			paid := proto.Clone(r.session).(*ippv1.Session)
			paid.Status = ippv1.SessionStatus_SESSION_STATUS_FINALIZED
			paid.OrderId = said.Metadata["order_id"]
			r.heard(&ippv1.WatchSessionResponse{Session: paid})
		} else {
			r.note(said)
			if !retryHeals(said.Code) {
				return r.stopped()
			}
			asked = said.RetryDelay
		}
		if end, final := endOf(r.session.Status); final {
			return r.result(end, nil)
		}
		if !wait(r.after, r.pauses.next(asked)) {
			return r.stopped()
		}
	}
}

func (r *collecting) heard(step *ippv1.WatchSessionResponse) {
	r.trouble = nil
	// A new watch begins with what is known.
	news := step.FailureReason != "" || !proto.Equal(step.Session, r.session)
	r.session = step.Session
	if news && r.options.OnStep != nil {
		r.options.OnStep(step)
	}
}

func (r *collecting) note(err *Error) {
	if r.trouble == nil || err.Reason != "" { // the gateway's own error says more than an interruption
		r.trouble = err
	}
}

func (r *collecting) whyStopped() *Error {
	if errors.Is(r.ctx.Err(), context.DeadlineExceeded) {
		return &Error{Code: codes.DeadlineExceeded, Message: "the payment's time is up"}
	}
	return &Error{Code: codes.Canceled, Message: "the payment was stopped"}
}

func (r *collecting) stopped() *Payment {
	if r.trouble != nil {
		return r.result(EndStopped, r.trouble)
	}
	return r.result(EndStopped, r.whyStopped())
}

func (r *collecting) result(end End, err *Error) *Payment {
	money := MoneyNotPaid
	switch end {
	case EndPaid:
		money = MoneyPaid
	case EndStopped, EndGaveUp:
		money = MoneyNotKnown
	}
	return &Payment{Money: money, End: end, Session: r.session, RequestID: r.request.RequestId, Err: err}
}

func endOf(status ippv1.SessionStatus) (End, bool) {
	switch status {
	case ippv1.SessionStatus_SESSION_STATUS_FINALIZED:
		return EndPaid, true
	case ippv1.SessionStatus_SESSION_STATUS_CANCELLED:
		return EndCancelled, true
	case ippv1.SessionStatus_SESSION_STATUS_EXPIRED:
		return EndExpired, true
	case ippv1.SessionStatus_SESSION_STATUS_FAILED:
		return EndFailed, true
	}
	return "", false
}
