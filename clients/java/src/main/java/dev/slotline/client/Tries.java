package dev.slotline.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The servers that one call is offered to, each once, until one takes it. */
final class Tries {
  private final Iterator<Target> left;
  private final Function<Target, Channel> channelOf;
  private final Long endsAtNs;
  private Target target;
  private Duration shortest;

  /**
   * @param channelOf the channel of a server, with the metadata of the call.
   * @param timeout for all tries together; null for no limit.
   */
  Tries(List<Target> order, Function<Target, Channel> channelOf, Duration timeout) {
    left = order.iterator();
    target = left.next();
    this.channelOf = channelOf;
    endsAtNs = timeout == null ? null : System.nanoTime() + timeout.toNanos();
  }

  /** The caller's deadline on the clock of {@link System#nanoTime}; null without one. */
  Long endsAtNs() {
    return endsAtNs;
  }

  Channel channel() {
    return channelOf.apply(target);
  }

  CallOptions options() {
    return endsAtNs == null
        ? CallOptions.DEFAULT
        : CallOptions.DEFAULT.withDeadlineAfter(endsAtNs - System.nanoTime(), TimeUnit.NANOSECONDS);
  }

  /**
   * Goes on to the next server.
   *
   * @throws SlotlineException if there is none, or it would say the same.
   */
  void refused(Failure failure) {
    Duration delay = failure.retryAfter();
    if (shortest == null || (delay != null && delay.compareTo(shortest) < 0)) {
      shortest = delay;
    }
    boolean isOver = endsAtNs != null && System.nanoTime() >= endsAtNs;
    if (!left.hasNext() || !failure.isElsewherePossible() || isOver) {
      throw new SlotlineException(failure.withRetryAfter(shortest));
    }
    target = left.next();
  }
}
