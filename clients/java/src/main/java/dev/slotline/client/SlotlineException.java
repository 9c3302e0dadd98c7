package dev.slotline.client;

import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A call failed. */
public class SlotlineException extends RuntimeException {
  /** A field of a request that was refused, and why. */
  public record Violation(String field, String description) {}

  private final transient Failure failure;

  SlotlineException(Failure failure) {
    super(failure.words(), failure.cause());
    this.failure = failure;
  }

  /** The gRPC status. */
  public Status.Code code() {
    return failure.code();
  }

  /** Stable word for programs, for example {@code QUEUE_FULL}; empty if the failure did not come from a core. */
  public String reason() {
    return failure.reason();
  }

  /** The facts of the message. */
  public Map<String, String> metadata() {
    return failure.metadata();
  }

  /** The fields of the request that were refused. */
  public List<Violation> violations() {
    return failure.violations();
  }

  /** The first field that was refused. */
  public Optional<String> field() {
    return violations().stream().map(Violation::field).findFirst();
  }

  /** Time after which the same request may succeed; empty if it never will or nobody knows. */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(failure.retryAfter());
  }
}
