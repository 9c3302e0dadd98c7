package dev.slotline.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.slotline.client.SlotlineException.Violation;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * How a call failed.
 *
 * @param isFromCore whether a core said it, and not something in between.
 * @param retryAfter null if nobody said.
 */
record Failure(
    Status.Code code,
    String message,
    boolean isFromCore,
    String reason,
    Map<String, String> metadata,
    List<Violation> violations,
    Duration retryAfter,
    Throwable cause) {
  /** Domain of everything that a core says. */
  private static final String DOMAIN = "slotline";

  /** Reads what gRPC throws. */
  static Failure of(Throwable thrown) {
    Status status = Status.fromThrowable(thrown);
    com.google.rpc.Status details = StatusProto.fromThrowable(thrown);
    List<Any> all = details == null ? List.of() : details.getDetailsList();
    ErrorInfo info =
        find(all, ErrorInfo.class)
            .filter(one -> one.getDomain().equals(DOMAIN))
            .findFirst()
            .orElse(ErrorInfo.getDefaultInstance());
    List<Violation> violations =
        find(all, BadRequest.class)
            .flatMap(one -> one.getFieldViolationsList().stream())
            .map(one -> new Violation(one.getField(), one.getDescription()))
            .toList();
    Duration delay =
        find(all, RetryInfo.class)
            .map(one -> Duration.ofSeconds(one.getRetryDelay().getSeconds(), one.getRetryDelay().getNanos()))
            .findFirst()
            .orElse(null);
    return new Failure(
        status.getCode(),
        wordsOf(status),
        !info.getDomain().isEmpty(),
        info.getReason(),
        info.getMetadataMap(),
        violations,
        delay,
        thrown);
  }

  /** A stream that ended without an error, and too early. */
  static Failure ofEnd() {
    String words = "the stream ended before all of its sequences had finished";
    return new Failure(Status.Code.OK, words, false, "", Map.of(), List.of(), null, null);
  }

  /** Whether another server may take the call, if this one has not accepted it. */
  boolean isElsewherePossible() {
    return code == Status.Code.UNAVAILABLE || code == Status.Code.RESOURCE_EXHAUSTED;
  }

  Failure withRetryAfter(Duration shortest) {
    return new Failure(code, message, isFromCore, reason, metadata, violations, shortest, cause);
  }

  String words() {
    return (reason.isEmpty() ? code.name() : reason) + ": " + message;
  }

  /** Of a connection that failed, the cause says more than the status. */
  private static String wordsOf(Status status) {
    String words = status.getDescription() == null ? "" : status.getDescription();
    Throwable cause = status.getCause();
    boolean hasMore = status.getCode() == Status.Code.UNAVAILABLE && cause != null && cause.getMessage() != null;
    return hasMore ? (words + ": " + cause.getMessage()).strip() : words;
  }

  private static <T extends Message> Stream<T> find(List<Any> details, Class<T> type) {
    return details.stream()
        .filter(one -> one.is(type))
        .flatMap(
            one -> {
              try {
                return Stream.of(one.unpack(type));
              } catch (InvalidProtocolBufferException error) {
                // Written by something between the client and the core: as if it were not there.
                return Stream.empty();
              }
            });
  }
}
