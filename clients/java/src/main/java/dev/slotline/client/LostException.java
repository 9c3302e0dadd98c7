package dev.slotline.client;

import dev.slotline.v1.Accepted;

/** A stream broke off after it was accepted: the server or something in front of it has gone. It was not repeated. */
public final class LostException extends SlotlineException {
  private final transient Accepted accepted;

  LostException(Failure failure, Accepted accepted) {
    super(failure);
    this.accepted = accepted;
  }

  /** Which request it was, and which run of the server had it. */
  public Accepted accepted() {
    return accepted;
  }
}
