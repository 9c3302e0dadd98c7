package dev.slotline.client;

import dev.slotline.v1.GenerateRequest;
import dev.slotline.v1.GenerateResponse;
import dev.slotline.v1.InferenceServiceGrpc;
import io.grpc.Context;
import io.grpc.stub.ClientCalls;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A generation that runs: iterate once over its events, or over {@link #text()} or {@link #messages()}. It starts with the
 * iteration. Closing or cancelling it frees its slot on the server, from any thread, and so does cancelling the
 * {@link Context} in which it was made; leaving the loop alone does not, so use it in a {@code try}.
 */
public final class Generation implements Iterable<Event>, AutoCloseable {
  private final Calls calls;
  private final GenerateRequest request;
  private final Context caller = Context.current();
  private final Context.CancellableContext context = caller.withCancellation();
  private final Answer answer = new Answer();
  private boolean isTaken;
  private volatile boolean isCancelled;

  Generation(Calls calls, GenerateRequest request) {
    this.calls = calls;
    this.request = request;
  }

  /**
   * The events.
   *
   * @throws SlotlineException while iterating, if the request is refused or fails; {@link LostException} if the stream
   *     breaks off; {@link CancellationException} if the surrounding context was cancelled or the thread interrupted.
   *     After {@link #cancel} the iteration just ends.
   */
  @Override
  public Iterator<Event> iterator() {
    Messages messages = take();
    Queue<Event> waiting = new ArrayDeque<>();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        while (waiting.isEmpty() && messages.hasNext()) {
          waiting.addAll(Event.of(messages.next()));
        }
        return !waiting.isEmpty();
      }

      @Override
      public Event next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        return waiting.remove();
      }
    };
  }

  /** The events as a stream; close the generation to end it early. */
  public Stream<Event> stream() {
    return StreamSupport.stream(spliterator(), false).onClose(this::close);
  }

  /** The text of the first continuation as it comes; no piece is empty. */
  public Iterable<String> text() {
    return () ->
        stream()
            .filter(event -> event instanceof Event.Text more && more.sequence() == 0)
            .map(event -> ((Event.Text) event).text())
            .iterator();
  }

  /** The bare messages. Fails as the events do. */
  public Iterable<GenerateResponse> messages() {
    return this::take;
  }

  /** Everything about the answer; the rest of the stream is read first. Fails as the iteration does. */
  public Completion completion() {
    if (!isTaken) {
      for (var messages = take(); messages.hasNext(); ) {
        messages.next();
      }
    }
    return answer.completion();
  }

  /** Ends the request; iterating ends too. Harmless after the end. */
  public void cancel() {
    isCancelled = true;
    context.cancel(null);
  }

  @Override
  public void close() {
    cancel();
  }

  private Messages take() {
    if (isTaken) {
      throw new IllegalStateException("a generation can be iterated over only once");
    }
    isTaken = true;
    return new Messages();
  }

  /** The messages of the first server that accepts the request. */
  private final class Messages implements Iterator<GenerateResponse> {
    private final Tries tries = calls.tries(calls.keyOf(request));
    private Attempt attempt;
    private Iterator<GenerateResponse> stream;
    private boolean isOver;

    @Override
    public boolean hasNext() {
      while (!isOver && !isCancelled) {
        try {
          if (stream == null) {
            open();
          }
          if (stream.hasNext()) {
            return true;
          }
          if (attempt.isComplete()) {
            isOver = true;
          } else {
            failed(Failure.ofEnd());
          }
        } catch (io.grpc.StatusRuntimeException error) {
          if (!isCancelled) {
            failed(Failure.of(error));
          }
        }
      }
      context.cancel(null);
      return false;
    }

    @Override
    public GenerateResponse next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      GenerateResponse message = stream.next();
      attempt.see(message);
      answer.add(message);
      return message;
    }

    private void open() {
      attempt = new Attempt(request, tries.endsAtNs());
      Context before = context.attach();
      try {
        stream =
            ClientCalls.blockingServerStreamingCall(
                tries.channel(), InferenceServiceGrpc.getGenerateMethod(), tries.options(), request);
      } finally {
        context.detach(before);
      }
    }

    private void failed(Failure failure) {
      stream = null;
      isOver = true;
      if (caller.isCancelled() || Thread.currentThread().isInterrupted()) {
        throw new CancellationException(failure.message());
      }
      if (attempt.isAccepted()) {
        throw attempt.brokenOff(failure);
      }
      tries.refused(failure);
      isOver = false;
    }
  }
}
