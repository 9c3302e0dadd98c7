package slotline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// domain is that of everything that a server says about its errors.
const domain = "slotline"

// A server's clock and ours need not agree on the moment at which a deadline passes.
const deadlineTolerance = 100 * time.Millisecond

// ErrLost is what errors.Is finds in the error of a generation that was accepted, and broke off without a word from the
// server, which may have died. What came before is true. Nothing was repeated: whether to ask again is for the caller to
// decide.
var ErrLost = errors.New("the stream was lost")

// Error is a failed call.
type Error struct {
	// Code is the status; of a lost stream, whatever the nearest proxy made of it.
	Code codes.Code
	// Message says it in words, for people.
	Message string
	// Reason is a stable word for programs, for example "QUEUE_FULL"; "" if the failure did not come from a server.
	Reason string
	// Metadata are the facts of the message.
	Metadata map[string]string
	// Violations are the fields of the request that were refused.
	Violations []Violation
	// RetryAfter is the time after which the same request may succeed; 0 if it never will, or nobody knows.
	RetryAfter time.Duration
	// Lost says that a generation was accepted and broke off; see ErrLost.
	Lost bool

	isFromServer bool
	cause        error
}

// Violation is a field that was refused.
type Violation struct {
	// Field is its path in the request, for example "sampling.top_p".
	Field string
	// Description says what is wrong with it, and what is allowed.
	Description string
}

// Error says it in words.
func (e *Error) Error() string {
	what := e.Reason
	if what == "" {
		what = e.Code.String()
	}
	if e.Lost {
		what = "lost, " + what
	}
	return fmt.Sprintf("slotline: %s: %s", what, e.Message)
}

// Field is the path of the first field that was refused; "" if none was.
func (e *Error) Field() string {
	if len(e.Violations) == 0 {
		return ""
	}
	return e.Violations[0].Field
}

// Is finds ErrLost in lost streams.
func (e *Error) Is(target error) bool { return target == ErrLost && e.Lost }

// Unwrap is gRPC's error, or that of the context if it ended the call.
func (e *Error) Unwrap() error { return e.cause }

// fromError is the failure that an error of gRPC stands for, in a call with this context.
func fromError(ctx context.Context, err error) *Error {
	said, _ := status.FromError(err)
	made := &Error{Code: said.Code(), Message: said.Message(), cause: err}
	if ctx.Err() != nil {
		made.cause = ctx.Err()
	}
	for _, detail := range said.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			made.Reason, made.Metadata = detail.GetReason(), detail.GetMetadata()
			made.isFromServer = detail.GetDomain() == domain
		case *errdetails.BadRequest:
			for _, one := range detail.GetFieldViolations() {
				made.Violations = append(made.Violations, Violation{one.GetField(), one.GetDescription()})
			}
		case *errdetails.RetryInfo:
			made.RetryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	return made
}

// broken is what the failure of an accepted stream is: lost, unless the server or the caller's context ended it.
func broken(ctx context.Context, failure *Error) *Error {
	deadline, hasDeadline := ctx.Deadline()
	isOverdue := hasDeadline && failure.Code == codes.DeadlineExceeded && time.Until(deadline) < deadlineTolerance
	failure.Lost = !failure.isFromServer && ctx.Err() == nil && !isOverdue
	return failure
}
