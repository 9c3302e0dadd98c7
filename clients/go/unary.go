package slotline

import (
	"context"
	"io"
	"iter"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/slotline/slotline/clients/go/slotlinev1"
)

// Embed turns texts, token ids or parts into vectors.
func (c *Client) Embed(ctx context.Context, request *slotlinev1.EmbedRequest) (*slotlinev1.EmbedResponse, error) {
	return unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.EmbedResponse, error) {
		return s.inference.Embed(ctx, request)
	})
}

// Rerank scores how relevant documents are to a query; only for models that score pairs of texts.
func (c *Client) Rerank(ctx context.Context, request *slotlinev1.RerankRequest) (*slotlinev1.RerankResponse, error) {
	return unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.RerankResponse, error) {
		return s.inference.Rerank(ctx, request)
	})
}

// Tokenize turns a text or conversation into token ids.
func (c *Client) Tokenize(ctx context.Context, request *slotlinev1.TokenizeRequest) (*slotlinev1.TokenizeResponse, error) {
	return unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.TokenizeResponse, error) {
		return s.inference.Tokenize(ctx, request)
	})
}

// Detokenize turns token ids into a text.
func (c *Client) Detokenize(ctx context.Context, request *slotlinev1.DetokenizeRequest) (*slotlinev1.DetokenizeResponse, error) {
	return unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.DetokenizeResponse, error) {
		return s.inference.Detokenize(ctx, request)
	})
}

// Models lists the served models.
func (c *Client) Models(ctx context.Context) ([]*slotlinev1.Model, error) {
	response, err := unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.ListModelsResponse, error) {
		return s.models.ListModels(ctx, &slotlinev1.ListModelsRequest{})
	})
	return response.GetModels(), err
}

// Model describes the model of a name or alias; "" for whichever is served.
func (c *Client) Model(ctx context.Context, name string) (*slotlinev1.Model, error) {
	response, err := unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.GetModelResponse, error) {
		return s.models.GetModel(ctx, &slotlinev1.GetModelRequest{Name: name})
	})
	return response.GetModel(), err
}

// Health tells the state of a server: whether it is ready, slots, queue, KV cache.
func (c *Client) Health(ctx context.Context) (*slotlinev1.HealthResponse, error) {
	return unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.HealthResponse, error) {
		return s.models.Health(ctx, &slotlinev1.HealthRequest{})
	})
}

// Slots tells what each slot of a server does.
func (c *Client) Slots(ctx context.Context) ([]*slotlinev1.Slot, error) {
	response, err := unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.ListSlotsResponse, error) {
		return s.models.ListSlots(ctx, &slotlinev1.ListSlotsRequest{})
	})
	return response.GetSlots(), err
}

// Metrics returns the counters and gauges of the core.
func (c *Client) Metrics(ctx context.Context) (*slotlinev1.GetMetricsResponse, error) {
	return unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.GetMetricsResponse, error) {
		return s.models.GetMetrics(ctx, &slotlinev1.GetMetricsRequest{})
	})
}

// ApplyTemplate renders a conversation with the model's chat template.
func (c *Client) ApplyTemplate(ctx context.Context, request *slotlinev1.ApplyTemplateRequest) (*slotlinev1.ApplyTemplateResponse, error) {
	return unary(ctx, c, func(ctx context.Context, s *server) (*slotlinev1.ApplyTemplateResponse, error) {
		return s.models.ApplyTemplate(ctx, request)
	})
}

// WatchHealth tells whether a server serves: now, and whenever that changes, until the context or the loop ends. The
// service is one like "slotline.v1.InferenceService", or "" for the whole server.
func (c *Client) WatchHealth(
	ctx context.Context, service string,
) iter.Seq2[healthpb.HealthCheckResponse_ServingStatus, error] {
	return func(yield func(healthpb.HealthCheckResponse_ServingStatus, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		chosen := c.servers[c.targets.order("")[0]]
		watch, err := chosen.health.Watch(c.outgoing(ctx, ""), &healthpb.HealthCheckRequest{Service: service})
		for err == nil {
			var response *healthpb.HealthCheckResponse
			if response, err = watch.Recv(); err == nil && !yield(response.GetStatus(), nil) {
				return
			}
		}
		if err != io.EOF {
			yield(healthpb.HealthCheckResponse_UNKNOWN, fromError(ctx, err))
		}
	}
}

// unary offers a call to each server once, until one answers.
func unary[R any](ctx context.Context, c *Client, call func(context.Context, *server) (R, error)) (R, error) {
	attempts := newAttempts(c.targets.order(""))
	for {
		response, err := call(c.outgoing(ctx, ""), c.servers[attempts.target])
		if err == nil {
			return response, nil
		}
		failure := fromError(ctx, err)
		if !attempts.goOn(ctx, failure) {
			return response, failure
		}
	}
}
