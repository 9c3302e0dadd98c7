package slotline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc/codes"
)

// targets are the addresses of a client's servers.
type targets struct {
	addresses []string
	turns     atomic.Uint64
}

func newTargets(addresses []string) *targets {
	var distinct []string
	for _, address := range addresses {
		if !slices.Contains(distinct, address) {
			distinct = append(distinct, address)
		}
	}
	return &targets{addresses: distinct}
}

// order is that in which a call is offered to the servers: by its prefix key, or in turns without one.
func (t *targets) order(key string) []string {
	if key != "" {
		return ranked(t.addresses, key)
	}
	first := int((t.turns.Add(1) - 1) % uint64(len(t.addresses)))
	return append(slices.Clone(t.addresses[first:]), t.addresses[:first]...)
}

// ranked are addresses in the order in which a prompt with this key is offered to them.
func ranked(addresses []string, key string) []string {
	rank := func(address string) []byte {
		sum := sha256.Sum256([]byte(key + "\n" + address))
		return sum[:]
	}
	sorted := slices.Clone(addresses)
	slices.SortFunc(sorted, func(a, b string) int { return bytes.Compare(rank(b), rank(a)) })
	return sorted
}

// attempts offers one call to each server once, until one takes it.
type attempts struct {
	target string
	left   []string
	last   *Error
}

func newAttempts(order []string) *attempts { return &attempts{target: order[0], left: order[1:]} }

// goOn goes on to the next server after a refusal; false if there is none, or it would say the same. The refusal then has
// the shortest time to wait of all.
func (a *attempts) goOn(ctx context.Context, refusal *Error) bool {
	if a.last != nil && a.last.RetryAfter > 0 && (refusal.RetryAfter == 0 || a.last.RetryAfter < refusal.RetryAfter) {
		refusal.RetryAfter = a.last.RetryAfter
	}
	a.last = refusal
	isElsewhere := refusal.Code == codes.ResourceExhausted || refusal.Code == codes.Unavailable
	if len(a.left) == 0 || !isElsewhere || ctx.Err() != nil {
		return false
	}
	a.target, a.left = a.left[0], a.left[1:]
	return true
}
