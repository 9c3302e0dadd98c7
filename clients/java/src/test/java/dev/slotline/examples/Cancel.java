package dev.slotline.examples;

import dev.slotline.client.Client;
import dev.slotline.client.Event;
import dev.slotline.client.Generation;
import dev.slotline.client.Prompt;
import dev.slotline.client.SlotlineException;
import io.grpc.Context;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;

/** Four ways to end a generation early. Each frees its slot on the server at once. */
public final class Cancel {
  public static void main(String[] arguments) throws InterruptedException {
    try (Client client = Client.of(Target.address())) {
      // Leaving the block that it was opened in.
      try (Generation generation = client.generate(endless())) {
        System.out.printf("left after \"%s\"%n", generation.text().iterator().next());
      }

      // Cancelling the context that surrounds it, as servers of gRPC do with the calls that they make for a call.
      try (Context.CancellableContext context = Context.current().withCancellation()) {
        context.run(
            () -> {
              try {
                client.generate(endless()).stream().filter(Event.Text.class::isInstance).forEach(text -> context.cancel(null));
              } catch (CancellationException error) {
                System.out.println("cancelled with its context");
              }
            });
      }

      // Cancelling the future of a generation without a thread.
      CountDownLatch begun = new CountDownLatch(1);
      var future = client.generateAsync(endless(), event -> begun.countDown());
      begun.await();
      System.out.println("future cancelled: " + future.cancel(true));

      // A time limit for the whole call, waiting included.
      try {
        client.withTimeout(Duration.ofMillis(100)).complete(endless());
      } catch (SlotlineException error) {
        System.out.println("too late: " + error.code());
      }

      while (client.health().getSlotsProcessing() > 0) {
        Thread.sleep(10);
      }
      System.out.println("all slots are free");
    }
  }

  private static Prompt endless() {
    return Prompt.text("One, two,").ignoreEos(true).maxTokens(500);
  }
}
