package dev.slotline.client;

import dev.slotline.v1.GenerateRequest;
import dev.slotline.v1.GenerateResponse;
import dev.slotline.v1.InferenceServiceGrpc;
import io.grpc.Context;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/** A generation whose events go to a consumer, on threads of gRPC; the future is its answer. */
final class AsyncGeneration {
  private final GenerateRequest request;
  private final Consumer<Event> consumer;
  private final Tries tries;
  private final Answer answer = new Answer();
  private final CompletableFuture<Completion> future = new CompletableFuture<>();
  private final Context.CancellableContext context = Context.current().withCancellation();

  AsyncGeneration(Calls calls, GenerateRequest request, Consumer<Event> consumer) {
    this.request = request;
    this.consumer = consumer;
    tries = calls.tries(calls.keyOf(request));
  }

  CompletableFuture<Completion> start() {
    // Whoever cancels the future, or lets it fail, does not want the rest.
    future.whenComplete((completion, error) -> context.cancel(null));
    open();
    return future;
  }

  private void open() {
    Context before = context.attach();
    try {
      var call = tries.channel().newCall(InferenceServiceGrpc.getGenerateMethod(), tries.options());
      ClientCalls.asyncServerStreamingCall(call, request, new Observer());
    } finally {
      context.detach(before);
    }
  }

  private final class Observer implements StreamObserver<GenerateResponse> {
    private final Attempt attempt = new Attempt(request, tries.endsAtNs());

    @Override
    public void onNext(GenerateResponse message) {
      attempt.see(message);
      try {
        answer.add(message).forEach(consumer);
      } catch (RuntimeException error) {
        future.completeExceptionally(error);
      }
    }

    @Override
    public void onError(Throwable error) {
      failed(Failure.of(error));
    }

    @Override
    public void onCompleted() {
      if (attempt.isComplete()) {
        future.complete(answer.completion());
      } else {
        failed(Failure.ofEnd());
      }
    }

    private void failed(Failure failure) {
      if (future.isDone()) {
        return;
      }
      if (attempt.isAccepted()) {
        future.completeExceptionally(attempt.brokenOff(failure));
        return;
      }
      try {
        tries.refused(failure);
      } catch (SlotlineException refusal) {
        future.completeExceptionally(refusal);
        return;
      }
      open();
    }
  }
}
