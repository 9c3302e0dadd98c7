package slotline

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/slotline/slotline/clients/go/slotlinev1"
)

// Completion is a whole answer: the first sequence, and what belongs to all of them.
type Completion struct {
	Sequence
	// Usage counts the tokens of all sequences.
	Usage *slotlinev1.Usage
	// Accepted is the first message.
	Accepted *slotlinev1.Accepted
	// Sequences are all of them, the first one included.
	Sequences []Sequence
}

// Sequence is one continuation of a prompt.
type Sequence struct {
	// Text is all of its text.
	Text string
	// Reasoning is what the model thought first, if output is parsed.
	Reasoning string
	// ToolCalls are the calls that it makes, if output is parsed.
	ToolCalls []ToolCall
	// Finished is its last message; GetReason says why it ended.
	Finished *slotlinev1.Finished
}

// ToolCall is a call that the model makes.
type ToolCall struct {
	// ID names the call in the turn that answers it.
	ID string
	// Name is that of the tool.
	Name string
	// Arguments are JSON; not whole if the answer was cut in them.
	Arguments string
}

// collectedMs is for how long output that is read at its end is collected: a message per token takes time from the model.
const collectedMs = 500

// Complete continues a prompt and waits for the whole answer, which comes in few messages unless the request has a
// MaxDeltaDelayMs of its own. An error is of type *Error.
func (c *Client) Complete(ctx context.Context, request *slotlinev1.GenerateRequest) (*Completion, error) {
	made := &Completion{Sequences: make([]Sequence, max(1, int(request.GetNumSequences())))}
	for message, err := range c.Generate(ctx, collected(request)) {
		if err != nil {
			return nil, err
		}
		if accepted := message.GetAccepted(); accepted != nil {
			made.Accepted = accepted
		}
		if delta := message.GetDelta(); delta != nil {
			made.at(delta.GetIndex()).add(delta)
		}
		if finished := message.GetFinished(); finished != nil {
			made.at(finished.GetIndex()).Finished = finished
			if finished.Usage != nil {
				made.Usage = finished.GetUsage()
			}
		}
	}
	made.Sequence = made.Sequences[0]
	return made, nil
}

// Chat continues a conversation and waits for the whole answer. Options are a request without a prompt; nil for none.
// Parse the answer with OutputOptions.ParseOutput to have reasoning and tool calls apart from its text.
func (c *Client) Chat(
	ctx context.Context, messages []*slotlinev1.ChatMessage, options *slotlinev1.GenerateRequest,
) (*Completion, error) {
	return c.Complete(ctx, Conversation(messages, options))
}

// collected is the request of an answer that is read at its end: its output is collected, unless it says otherwise.
func collected(request *slotlinev1.GenerateRequest) *slotlinev1.GenerateRequest {
	output := request.GetOutput()
	if request == nil || (output != nil && output.MaxDeltaDelayMs != nil) {
		return request
	}
	copied := proto.CloneOf(request)
	if copied.Output == nil {
		copied.Output = &slotlinev1.OutputOptions{}
	}
	copied.Output.MaxDeltaDelayMs = proto.Uint32(collectedMs)
	return copied
}

func (c *Completion) at(index uint32) *Sequence {
	for int(index) >= len(c.Sequences) {
		c.Sequences = append(c.Sequences, Sequence{})
	}
	return &c.Sequences[index]
}

func (s *Sequence) add(delta *slotlinev1.Delta) {
	text, reasoning := textsOf(delta)
	s.Text += text
	s.Reasoning += reasoning
	for _, part := range delta.GetToolDeltas() {
		for int(part.GetCall()) >= len(s.ToolCalls) {
			s.ToolCalls = append(s.ToolCalls, ToolCall{ID: part.GetId(), Name: part.GetName()})
		}
		s.ToolCalls[part.GetCall()].Arguments += part.GetArguments()
	}
}
