package ippclient

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Outcome is what happened at Kustom; of a create, to everything that was sent under its request_id. Empty: the gateway
// claims none.
type Outcome string

// The outcomes.
const (
	NotSent  Outcome = "NOT_SENT"
	Rejected Outcome = "REJECTED"
	Executed Outcome = "EXECUTED"
	Unknown  Outcome = "UNKNOWN"
)

// Error is an error of the gateway. One that gRPC made itself (no connection, a deadline) has only Code and Message.
type Error struct {
	Code           codes.Code
	Message        string
	Reason         string  // stable, for programs: docs/when-a-call-fails.md has every one
	Outcome        Outcome // of the call
	EarlierOutcome Outcome // of an earlier create with the same request_id
	RetrySafe      bool
	RetryDelay     time.Duration // wait at least this long
	Metadata       map[string]string
	Violations     []*errdetails.BadRequest_FieldViolation
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (%s, %s)", e.Code, e.Message, e.Reason, e.Outcome)
}

// GRPCStatus makes status.Code work on it.
func (e *Error) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// ErrLeaseLost says that an event is no longer this handler's: it went to another pod. What is not committed yet, must
// not be.
var ErrLeaseLost = errors.New("the lease is lost: another pod has the event")

// Decode says what an error of a call says.
func Decode(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	said := status.Convert(err)
	decoded := &Error{Code: said.Code(), Message: said.Message(), Metadata: map[string]string{}}
	for _, detail := range said.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			decoded.Reason = detail.Reason
			decoded.Metadata = detail.Metadata
			decoded.Outcome = Outcome(detail.Metadata["outcome"])
			decoded.EarlierOutcome = Outcome(detail.Metadata["earlier_outcome"])
			decoded.RetrySafe = detail.Metadata["retry_safe"] == "true"
		case *errdetails.RetryInfo:
			decoded.RetryDelay = detail.RetryDelay.AsDuration()
		case *errdetails.BadRequest:
			decoded.Violations = detail.FieldViolations
		}
	}
	return decoded
}

// A new try of a call or a stream that ended with one of these would end the same way.
func retryHeals(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.NotFound, codes.Unimplemented:
		return false
	}
	return true
}
