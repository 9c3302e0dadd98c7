package dev.slotline.client;

import dev.slotline.v1.DetokenizeRequest;
import dev.slotline.v1.EmbedInput;
import dev.slotline.v1.EmbedRequest;
import dev.slotline.v1.Embedding;
import dev.slotline.v1.GenerateRequest;
import dev.slotline.v1.GetModelRequest;
import dev.slotline.v1.HealthRequest;
import dev.slotline.v1.HealthResponse;
import dev.slotline.v1.InferenceServiceGrpc;
import dev.slotline.v1.ListModelsRequest;
import dev.slotline.v1.ListSlotsRequest;
import dev.slotline.v1.Model;
import dev.slotline.v1.ModelServiceGrpc;
import dev.slotline.v1.OutputOptions;
import dev.slotline.v1.RerankRequest;
import dev.slotline.v1.Slot;
import dev.slotline.v1.TokenizeRequest;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * A client of one core, or of several that serve the same model; many threads may use it.
 *
 * <pre>{@code
 * try (Client client = Client.of("127.0.0.1:50051");
 *     Generation generation = client.generate(Prompt.text("Once upon a time").maxTokens(32))) {
 *   for (String text : generation.text()) {
 *     System.out.print(text);
 *   }
 * }
 * }</pre>
 *
 * <p>The {@code with} methods give a client that shares the connections of this one; closing either closes both.
 */
public final class Client implements AutoCloseable {
  /** For how long output that is read at its end is collected: a message per token takes time from the model. */
  private static final int COLLECTED_MS = 500;

  private final Calls calls;

  private Client(Calls calls) {
    this.calls = calls;
  }

  /** A client without a key and without TLS, of {@code host:port} or {@code unix:/path}, one or several. */
  public static Client of(String... targets) {
    return builder(targets).build();
  }

  /** A client of {@code host:port} or {@code unix:/path}, one or several. */
  public static Builder builder(String... targets) {
    return new Builder(List.of(targets));
  }

  /** What a client needs to know besides the addresses. */
  public static final class Builder {
    private final List<String> targets;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private Tls tls;
    private Duration timeout;

    private Builder(List<String> targets) {
      if (targets.isEmpty()) {
        throw new IllegalArgumentException("targets: there are none; give host:port, unix:/path or several of them");
      }
      this.targets = targets;
    }

    /** API key, sent as a bearer token. */
    public Builder key(String key) {
      metadata.put("authorization", "Bearer " + key);
      return this;
    }

    /** Encrypts connections; unix sockets stay plain. */
    public Builder tls(Tls tls) {
      this.tls = tls;
      return this;
    }

    /** Time that a call may take if it says nothing else. Default no limit. */
    public Builder timeout(Duration timeout) {
      this.timeout = timeout;
      return this;
    }

    /** -100 to 100; generations of higher priority start first and take slots from lower ones. Default 0. */
    public Builder priority(int priority) {
      metadata.put("slotline-priority", Integer.toString(priority));
      return this;
    }

    /** Whom the calls are for, one word; different ones share no caches and do not see each other's prompts. */
    public Builder tenant(String tenant) {
      metadata.put("slotline-tenant", tenant);
      return this;
    }

    /**
     * The client. It connects with its first call.
     *
     * @throws IllegalArgumentException if an address is neither {@code host:port} nor {@code unix:/path}.
     * @throws java.io.UncheckedIOException if a file of the TLS options cannot be read.
     */
    public Client build() {
      List<Target> made = targets.stream().map(address -> new Target(address, tls)).toList();
      return new Client(new Calls(made, new AtomicInteger(), Map.copyOf(metadata), timeout, null));
    }
  }

  /** A client whose calls may take so long, waiting and further servers included. */
  public Client withTimeout(Duration timeout) {
    return new Client(calls.withTimeout(timeout));
  }

  /** A client that shows balancers this key, at most 64 characters, instead of one made of each prompt. */
  public Client withPrefixKey(String key) {
    return new Client(calls.withPrefixKey(key));
  }

  /** A client with further metadata. */
  public Client withMetadata(String name, String value) {
    return new Client(calls.withMetadata(name, value));
  }

  /** Continues a prompt. Nothing is sent before the result is iterated over. */
  public Generation generate(Prompt prompt) {
    return generate(prompt.toRequest());
  }

  /** Continues the prompt of a whole request. */
  public Generation generate(GenerateRequest request) {
    return new Generation(calls, request);
  }

  /**
   * Continues a prompt without blocking a thread. Cancelling the future ends the request on the server.
   *
   * @param consumer is called with each event, one after the other, and must not block.
   * @return the whole answer; fails with a {@link SlotlineException}.
   */
  public CompletableFuture<Completion> generateAsync(Prompt prompt, Consumer<Event> consumer) {
    return new AsyncGeneration(calls, prompt.toRequest(), consumer).start();
  }

  /**
   * Continues a prompt and waits for the whole answer. It comes in few messages, unless the prompt has a
   * {@code maxDeltaDelayMs} of its own.
   */
  public Completion complete(Prompt prompt) {
    try (Generation generation = generate(collected(prompt.toRequest()))) {
      return generation.completion();
    }
  }

  /** Answers a conversation and waits for the whole answer: content, reasoning and tool calls are told apart. */
  public Completion chat(Prompt prompt) {
    return complete(prompt.parsed());
  }

  /** Answers a conversation and waits for the whole answer: content, reasoning and tool calls are told apart. */
  public Completion chat(Message... messages) {
    return chat(Prompt.chat(messages));
  }

  /** The vectors of texts, of length 1, in order. */
  public List<float[]> embed(String... texts) {
    var inputs = Arrays.stream(texts).map(text -> EmbedInput.newBuilder().setText(text).build()).toList();
    return embed(EmbedRequest.newBuilder().addAllInputs(inputs).build());
  }

  /** The vectors of what a whole request has, in order. */
  public List<float[]> embed(EmbedRequest request) {
    var answer = call(InferenceServiceGrpc.getEmbedMethod(), request);
    return answer.getEmbeddingsList().stream().map(Client::vector).toList();
  }

  /** How relevant documents are to a query, in their order; only for models that score pairs of texts. */
  public List<Float> rerank(String query, List<String> documents) {
    return rerank(RerankRequest.newBuilder().setQuery(query).addAllDocuments(documents).build());
  }

  /** The scores of a whole request's documents, in their order. */
  public List<Float> rerank(RerankRequest request) {
    return call(InferenceServiceGrpc.getRerankMethod(), request).getScoresList();
  }

  /** Token ids of a text. */
  public List<Integer> tokenize(String text) {
    return tokenize(TokenizeRequest.newBuilder().setText(text).build());
  }

  /** Token ids of what a whole request has. */
  public List<Integer> tokenize(TokenizeRequest request) {
    return call(InferenceServiceGrpc.getTokenizeMethod(), request).getIdsList();
  }

  /** The text of token ids, without control tokens. */
  public String detokenize(List<Integer> ids) {
    var request = DetokenizeRequest.newBuilder().addAllIds(ids).build();
    return call(InferenceServiceGrpc.getDetokenizeMethod(), request).getText();
  }

  /** The served models. */
  public List<Model> models() {
    return call(ModelServiceGrpc.getListModelsMethod(), ListModelsRequest.getDefaultInstance()).getModelsList();
  }

  /** One model, by its name or alias; without a name the served one. */
  public Model model(String name) {
    return call(ModelServiceGrpc.getGetModelMethod(), GetModelRequest.newBuilder().setName(name).build()).getModel();
  }

  /** State of the core: whether it is ready, slots, queue, KV cache. Of several, the first that answers. */
  public HealthResponse health() {
    return call(ModelServiceGrpc.getHealthMethod(), HealthRequest.getDefaultInstance());
  }

  /** What every slot does. Of several cores, the first that answers. */
  public List<Slot> slots() {
    return call(ModelServiceGrpc.getListSlotsMethod(), ListSlotsRequest.getDefaultInstance()).getSlotsList();
  }

  /**
   * Standard health as it changes, the present state first.
   *
   * @param service a service's name, {@code liveness}, or "" for the whole server.
   * @param consumer is called with each state, and must not block.
   * @return ends with the connection, as a {@link SlotlineException}; cancel it to end the watch.
   */
  public CompletableFuture<Void> watchHealth(String service, Consumer<ServingStatus> consumer) {
    CompletableFuture<Void> end = new CompletableFuture<>();
    Context.CancellableContext context = Context.current().withCancellation();
    end.whenComplete((nothing, error) -> context.cancel(null));
    Tries tries = calls.tries("");
    context.run(
        () ->
            HealthGrpc.newStub(tries.channel())
                .watch(HealthCheckRequest.newBuilder().setService(service).build(), new HealthObserver(consumer, end)));
    return end;
  }

  private record HealthObserver(Consumer<ServingStatus> consumer, CompletableFuture<Void> end)
      implements StreamObserver<HealthCheckResponse> {
    @Override
    public void onNext(HealthCheckResponse message) {
      consumer.accept(message.getStatus());
    }

    @Override
    public void onError(Throwable error) {
      end.completeExceptionally(new SlotlineException(Failure.of(error)));
    }

    @Override
    public void onCompleted() {
      end.complete(null);
    }
  }

  /** Any call of the contract that answers once, with the retries and the errors of this client. */
  public <Q, R> R call(MethodDescriptor<Q, R> method, Q request) {
    for (Tries tries = calls.tries(""); ; ) {
      try {
        return ClientCalls.blockingUnaryCall(tries.channel(), method, tries.options(), request);
      } catch (StatusRuntimeException error) {
        tries.refused(Failure.of(error));
      }
    }
  }

  /** Closes the connections; calls that are under way fail. */
  @Override
  public void close() {
    calls.targets().forEach(Target::close);
  }

  /** The request of an answer that is read at its end: its output is collected, unless it says otherwise. */
  private static GenerateRequest collected(GenerateRequest request) {
    OutputOptions output = request.getOutput();
    if (output.hasMaxDeltaDelayMs()) {
      return request;
    }
    return request.toBuilder().setOutput(output.toBuilder().setMaxDeltaDelayMs(COLLECTED_MS)).build();
  }

  private static float[] vector(Embedding embedding) {
    if (embedding.getTokenVectorsCount() > 0) {
      throw new IllegalStateException(
          "each token has a vector (--pooling none); the answer of call() has them as token vectors");
    }
    float[] values = new float[embedding.getValuesCount()];
    for (int i = 0; i < values.length; i++) {
      values[i] = embedding.getValues(i);
    }
    return values;
  }
}
