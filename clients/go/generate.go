package slotline

import (
	"context"
	"io"
	"iter"

	"google.golang.org/grpc/codes"

	"github.com/slotline/slotline/clients/go/slotlinev1"
)

// Generate continues a prompt: a loop over the result makes the call and gives its messages as they come. Leaving the
// loop, or the end of the context, cancels the call, which frees its slot at once. An error is the last that comes; it is
// of type *Error.
func (c *Client) Generate(
	ctx context.Context, request *slotlinev1.GenerateRequest,
) iter.Seq2[*slotlinev1.GenerateResponse, error] {
	return func(yield func(*slotlinev1.GenerateResponse, error) bool) {
		calling, cancel := context.WithCancel(ctx)
		defer cancel()
		key := c.keyOf(request)
		attempts := newAttempts(c.targets.order(key))
		for {
			isAccepted, isLeft, failure := c.stream(ctx, c.outgoing(calling, key), attempts.target, request, yield)
			if isLeft || failure == nil {
				return
			}
			if isAccepted {
				yield(nil, broken(ctx, failure))
				return
			}
			if !attempts.goOn(ctx, failure) {
				yield(nil, failure)
				return
			}
		}
	}
}

// stream makes one call. It tells whether that was accepted, whether the caller has left the loop, and how it failed.
func (c *Client) stream(
	ctx, calling context.Context,
	target string,
	request *slotlinev1.GenerateRequest,
	yield func(*slotlinev1.GenerateResponse, error) bool,
) (isAccepted, isLeft bool, failure *Error) {
	left := max(1, int(request.GetNumSequences()))
	call, err := c.servers[target].inference.Generate(calling, request)
	for err == nil {
		var message *slotlinev1.GenerateResponse
		if message, err = call.Recv(); err != nil {
			break
		}
		isAccepted = true
		if message.GetFinished() != nil {
			left--
		}
		if !yield(message, nil) {
			return isAccepted, true, nil
		}
	}
	if err != io.EOF {
		return isAccepted, false, fromError(ctx, err)
	}
	if left > 0 {
		const message = "the stream ended before all of its sequences had finished"
		return true, false, &Error{Code: codes.OK, Message: message, cause: io.ErrUnexpectedEOF}
	}
	return isAccepted, false, nil
}

func (c *Client) keyOf(request *slotlinev1.GenerateRequest) string {
	if c.prefixKey != nil {
		return *c.prefixKey
	}
	return PrefixKey(request)
}

// Text gives the text of the first sequence of a stream as it comes, in parts that are not empty.
func Text(stream iter.Seq2[*slotlinev1.GenerateResponse, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for message, err := range stream {
			if err != nil {
				yield("", err)
				return
			}
			delta := message.GetDelta()
			if text, _ := textsOf(delta); text != "" && delta.GetIndex() == 0 && !yield(text, nil) {
				return
			}
		}
	}
}

// textsOf are what a delta adds to the text of its sequence, and to the reasoning in front of it.
func textsOf(delta *slotlinev1.Delta) (text, reasoning string) {
	for _, piece := range delta.GetPieces() {
		if piece.GetChannel() == slotlinev1.Channel_CHANNEL_REASONING {
			reasoning += piece.GetText()
		} else {
			text += piece.GetText()
		}
	}
	return text, reasoning
}
