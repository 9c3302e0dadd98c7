package dev.slotline.examples;

import dev.slotline.client.Client;
import dev.slotline.client.LostException;
import dev.slotline.client.Prompt;
import dev.slotline.client.SlotlineException;

/** What can go wrong, and how to tell. */
public final class Errors {
  public static void main(String[] arguments) {
    // What no request can hold fails at once, with an exception of Java.
    try {
      Prompt.text("Hello").maxTokens(-1);
    } catch (IllegalArgumentException error) {
      System.out.println(error.getMessage());
    }
    try (Client client = Client.of(Target.address())) {
      refused(client);
      busyOrLost(client);
    }
    // Nobody there.
    try (Client nobody = Client.of("127.0.0.1:1")) {
      nobody.health();
    } catch (SlotlineException error) {
      System.out.println(error.code());
    }
  }

  /** What the server refuses has a reason, and the field if one is wrong. */
  private static void refused(Client client) {
    try {
      client.complete(Prompt.text("Hello").model("no-such-model"));
    } catch (SlotlineException error) {
      System.out.println(error.code() + " " + error.reason() + " " + error.metadata());
    }
    try {
      client.complete(Prompt.text("Hello").temperature(Float.NaN));
    } catch (SlotlineException error) {
      System.out.println(error.reason() + " " + error.field().orElse(""));
    }
  }

  /**
   * A server that is busy says when to come back. Of several servers all have been asked by then. A stream that breaks off
   * after it began is never repeated: whether to ask again is up to you.
   */
  private static void busyOrLost(Client client) {
    try {
      System.out.println(!client.complete(Prompt.text("Hello").maxTokens(4).temperature(0)).text().isEmpty());
    } catch (LostException error) {
      System.out.println("lost: " + error.accepted().getRequestId() + " of " + error.accepted().getInstanceId());
    } catch (SlotlineException error) {
      System.out.println("come back in " + error.retryAfter().orElseThrow(() -> error));
    }
  }
}
