package slotline

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/slotline/slotline/clients/go/slotlinev1"
)

// Client calls one or several servers. It may be used by several goroutines at once.
type Client struct {
	targets   *targets
	servers   map[string]*server
	metadata  []string
	prefixKey *string
}

type server struct {
	connection *grpc.ClientConn
	inference  slotlinev1.InferenceServiceClient
	models     slotlinev1.ModelServiceClient
	health     healthpb.HealthClient
}

type config struct {
	tls       *tls.Config
	metadata  []string
	prefixKey *string
}

// Option is an option of New.
type Option func(*config)

// WithAPIKey presents an API key to servers that demand one.
func WithAPIKey(key string) Option { return WithMetadata("authorization", "Bearer "+key) }

// WithTLS connects with TLS; LoadTLS makes a configuration from files. Without it connections are plain text.
func WithTLS(settings *tls.Config) Option { return func(c *config) { c.tls = settings } }

// WithPriority gives all generations a priority, from -100 to 100. Those of higher priority start first and take slots
// from lower ones. For one call, put "slotline-priority" into the outgoing metadata of its context instead.
func WithPriority(priority int) Option {
	return WithMetadata("slotline-priority", strconv.Itoa(priority))
}

// WithTenant says whom the calls are for, in one word: different ones share no caches and do not see each other's prompts.
func WithTenant(tenant string) Option { return WithMetadata("slotline-tenant", tenant) }

// WithPrefixKey sets the key by which balancers send generations to the same server. Without it each prompt has its own,
// which is the same for prompts that begin alike.
func WithPrefixKey(key string) Option { return func(c *config) { c.prefixKey = &key } }

// WithMetadata adds a pair to the metadata of all calls.
func WithMetadata(name, value string) Option {
	return func(c *config) { c.metadata = append(c.metadata, name, value) }
}

// New makes a client. Targets are addresses like "host:port" or "unix:/path". A call that one of them refuses, or that
// does not reach it, is made to the next one, unless it was accepted before. Connections are made when they are needed.
func New(addresses []string, options ...Option) (*Client, error) {
	var c config
	for _, option := range options {
		option(&c)
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("slotline: there are no targets; give at least one like 127.0.0.1:50051")
	}
	client := &Client{
		targets: newTargets(addresses), servers: map[string]*server{}, metadata: c.metadata, prefixKey: c.prefixKey,
	}
	for _, address := range client.targets.addresses {
		connection, err := grpc.NewClient(address, dialOptions(c.tls)...)
		if err != nil {
			client.Close()
			return nil, fmt.Errorf("slotline: target %q: %w", address, err)
		}
		client.servers[address] = &server{
			connection: connection,
			inference:  slotlinev1.NewInferenceServiceClient(connection),
			models:     slotlinev1.NewModelServiceClient(connection),
			health:     healthpb.NewHealthClient(connection),
		}
	}
	return client, nil
}

// Close ends all connections; calls that are under way fail.
func (c *Client) Close() error {
	var first error
	for _, server := range c.servers {
		if err := server.connection.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func dialOptions(settings *tls.Config) []grpc.DialOption {
	transport := insecure.NewCredentials()
	if settings != nil {
		transport = credentials.NewTLS(settings)
	}
	// A server that is back is found soon: by default gRPC waits up to two minutes between attempts to connect.
	connect := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
		MinConnectTimeout: 20 * time.Second,
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithConnectParams(connect),
		// Prompts and answers may be larger than the 4 MB that are allowed by default; the server has a limit of its own.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
	}
}

// outgoing is the context of a call, with the client's metadata.
func (c *Client) outgoing(ctx context.Context, key string) context.Context {
	pairs := c.metadata
	if key != "" {
		pairs = append(append([]string{}, pairs...), prefixKeyName, key)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}
