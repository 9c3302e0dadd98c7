package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	slotline "github.com/slotline/slotline/clients/go"
	"github.com/slotline/slotline/clients/go/slotlinev1"
)

const (
	poll          = 10 * time.Millisecond
	readyPatience = 60 * time.Second
)

// outcome is what came of a call.
type outcome struct {
	events     []string
	texts      map[int]string
	finishes   map[int]string
	values     map[string]any
	statuses   []string
	failure    *slotline.Error
	problem    error
	cancelled  bool
	idleWithin time.Duration
}

func runCall(ctx context.Context, client *slotline.Client, call *testCase) *outcome {
	came := &outcome{texts: map[int]string{}, finishes: map[int]string{}, values: map[string]any{}}
	calling, cancel := ctx, context.CancelFunc(func() {})
	if call.Actions.DeadlineMs > 0 {
		calling, cancel = context.WithTimeout(ctx, time.Duration(call.Actions.DeadlineMs)*time.Millisecond)
	}
	err := came.make(calling, client, call)
	cancel()
	if !errors.As(err, &came.failure) {
		came.problem = err
	}
	if call.Expect.IdleWithinMs > 0 {
		came.idleWithin = untilIdle(ctx, client)
	}
	return came
}

func (o *outcome) make(ctx context.Context, client *slotline.Client, call *testCase) error {
	raw, err := json.Marshal(repeated(call.Request, call.Repeat))
	if err != nil {
		return err
	}
	switch call.RPC {
	case "Generate":
		request := &slotlinev1.GenerateRequest{}
		if err := protojson.Unmarshal(raw, request); err != nil {
			return err
		}
		return o.stream(ctx, client, request, call.Actions.CancelAfter)
	case "Health.Watch":
		request := &healthpb.HealthCheckRequest{}
		if err := protojson.Unmarshal(raw, request); err != nil {
			return err
		}
		for status, err := range client.WatchHealth(ctx, request.GetService()) {
			if err != nil {
				return err
			}
			o.statuses = append(o.statuses, status.String())
			if len(o.statuses) >= max(1, len(call.Expect.Statuses)) {
				break
			}
		}
		return nil
	}
	response, err := unary(ctx, client, call.RPC, raw)
	if err == nil {
		o.values["response"], err = asJSON(response)
	}
	return err
}

func (o *outcome) stream(
	ctx context.Context, client *slotline.Client, request *slotlinev1.GenerateRequest, cancelAfter *int,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	deltas := 0
	for message, err := range client.Generate(ctx, request) {
		if err != nil {
			o.cancelled = o.cancelled && errors.Is(err, context.Canceled)
			if o.cancelled {
				return nil
			}
			return err
		}
		if err := o.add(message); err != nil {
			return err
		}
		if message.GetDelta() != nil {
			deltas++
		}
		if cancelAfter != nil && deltas == *cancelAfter {
			o.cancelled = true
			cancel()
		}
	}
	return nil
}

func (o *outcome) add(message *slotlinev1.GenerateResponse) (err error) {
	switch event := message.GetEvent().(type) {
	case *slotlinev1.GenerateResponse_Accepted:
		o.events = append(o.events, "accepted")
		o.values["accepted"], err = asJSON(event.Accepted)
	case *slotlinev1.GenerateResponse_Prompt:
		o.events = append(o.events, "prompt")
	case *slotlinev1.GenerateResponse_Delta:
		o.events = append(o.events, "delta")
		for _, piece := range event.Delta.GetPieces() {
			o.texts[int(event.Delta.GetIndex())] += piece.GetText()
		}
	case *slotlinev1.GenerateResponse_Finished:
		o.events = append(o.events, "finished")
		reason, index := event.Finished.GetReason(), int(event.Finished.GetIndex())
		o.finishes[index] = "UNKNOWN"
		if known := reason.Descriptor().Values().ByNumber(protoreflect.EnumNumber(reason)); known != nil {
			o.finishes[index] = string(known.Name())
		}
		if event.Finished.Usage != nil {
			o.values["usage"], err = asJSON(event.Finished.GetUsage())
		}
	}
	return err
}

func unary(ctx context.Context, client *slotline.Client, rpc string, raw []byte) (proto.Message, error) {
	decoded := func(request proto.Message) error { return protojson.Unmarshal(raw, request) }
	switch rpc {
	case "Embed":
		request := &slotlinev1.EmbedRequest{}
		return response(decoded(request), func() (proto.Message, error) { return client.Embed(ctx, request) })
	case "Rerank":
		request := &slotlinev1.RerankRequest{}
		return response(decoded(request), func() (proto.Message, error) { return client.Rerank(ctx, request) })
	case "Tokenize":
		request := &slotlinev1.TokenizeRequest{}
		return response(decoded(request), func() (proto.Message, error) { return client.Tokenize(ctx, request) })
	case "Detokenize":
		request := &slotlinev1.DetokenizeRequest{}
		return response(decoded(request), func() (proto.Message, error) { return client.Detokenize(ctx, request) })
	case "ApplyTemplate":
		request := &slotlinev1.ApplyTemplateRequest{}
		return response(decoded(request), func() (proto.Message, error) { return client.ApplyTemplate(ctx, request) })
	case "GetModel":
		request := &slotlinev1.GetModelRequest{}
		return response(decoded(request), func() (proto.Message, error) {
			model, err := client.Model(ctx, request.GetName())
			return &slotlinev1.GetModelResponse{Model: model}, err
		})
	case "ListModels":
		models, err := client.Models(ctx)
		return &slotlinev1.ListModelsResponse{Models: models}, err
	case "ListSlots":
		slots, err := client.Slots(ctx)
		return &slotlinev1.ListSlotsResponse{Slots: slots}, err
	case "Health":
		return client.Health(ctx)
	case "GetMetrics":
		return client.Metrics(ctx)
	}
	return nil, fmt.Errorf("rpc %q is unknown", rpc)
}

func response(err error, call func() (proto.Message, error)) (proto.Message, error) {
	if err != nil {
		return nil, err
	}
	return call()
}

func asJSON(message proto.Message) (made any, err error) {
	raw, err := protojson.Marshal(message)
	if err == nil {
		err = json.Unmarshal(raw, &made)
	}
	return made, err
}

// repeated is the request with some of its texts repeated in place; the paths say which.
func repeated(request any, repeat map[string]int) any {
	for path, times := range repeat {
		names := strings.Split(path, ".")
		place := request
		for _, name := range names[:len(names)-1] {
			if list, isList := place.([]any); isList {
				i, _ := strconv.Atoi(name)
				place = list[i]
			} else {
				place = place.(map[string]any)[name]
			}
		}
		last, fields := names[len(names)-1], place.(map[string]any)
		fields[last] = strings.Repeat(fields[last].(string), times)
	}
	return request
}

func untilReady(client *slotline.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), readyPatience)
	defer cancel()
	for ctx.Err() == nil {
		if _, err := client.Health(ctx); err == nil {
			return
		}
		time.Sleep(poll)
	}
}

// untilIdle tells how long it takes until no slot is busy.
func untilIdle(ctx context.Context, client *slotline.Client) time.Duration {
	started := time.Now()
	for ctx.Err() == nil {
		slots, err := client.Slots(ctx)
		busy := err != nil
		for _, slot := range slots {
			busy = busy || slot.GetState() != slotlinev1.SlotState_SLOT_STATE_IDLE
		}
		if !busy {
			break
		}
		time.Sleep(poll)
	}
	return time.Since(started)
}
