package dev.slotline.client;

import dev.slotline.v1.Accepted;
import dev.slotline.v1.GenerateRequest;
import dev.slotline.v1.GenerateResponse;
import io.grpc.Status;

/** One try to have a request answered by one server. */
final class Attempt {
  /** gRPC's clock and ours need not agree on the moment at which a deadline passes. */
  private static final long TOLERANCE_NS = 100_000_000;

  private final Long endsAtNs;
  private int unfinished;
  private Accepted accepted;

  /**
   * @param endsAtNs the caller's deadline, on the clock of {@link System#nanoTime}; null without one.
   */
  Attempt(GenerateRequest request, Long endsAtNs) {
    this.endsAtNs = endsAtNs;
    unfinished = request.hasNumSequences() ? request.getNumSequences() : 1;
  }

  void see(GenerateResponse message) {
    if (message.hasAccepted()) {
      accepted = message.getAccepted();
    } else if (message.hasFinished()) {
      unfinished--;
    }
  }

  boolean isComplete() {
    return accepted != null && unfinished <= 0;
  }

  boolean isAccepted() {
    return accepted != null;
  }

  /** The exception for a failure after the request was accepted. */
  SlotlineException brokenOff(Failure failure) {
    // Proxies have deadlines of their own.
    boolean isOver = endsAtNs != null && System.nanoTime() >= endsAtNs - TOLERANCE_NS;
    boolean isTold = failure.isFromCore() || (failure.code() == Status.Code.DEADLINE_EXCEEDED && isOver);
    return isTold ? new SlotlineException(failure) : new LostException(failure, accepted);
  }
}
