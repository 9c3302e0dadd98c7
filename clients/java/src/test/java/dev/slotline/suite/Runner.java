package dev.slotline.suite;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.slotline.client.Client;
import dev.slotline.client.Generation;
import dev.slotline.client.Prompt;
import dev.slotline.client.SlotlineException;
import dev.slotline.client.Tls;
import dev.slotline.v1.GenerateRequest;
import dev.slotline.v1.GenerateResponse;
import dev.slotline.v1.InferenceServiceGrpc;
import dev.slotline.v1.ModelServiceGrpc;
import dev.slotline.v1.SlotState;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Runs the cases of tests/clients with this client: {@code Runner CASES PORTS [--hold]}. */
public final class Runner {
  private static final long HANG_S = 20;
  private static final long READY_S = 20;
  private static final Set<String> KEYS =
      Set.of("name", "core", "key", "tls", "metadata", "rpc", "request", "repeat", "actions", "expect", "once_ready");
  private static final Set<String> ACTIONS = Set.of("cancel_after", "deadline_ms", "then");
  private static final Set<String> OWN_METADATA = Set.of("priority", "tenant", "prefix_key");
  private static final Map<String, MethodDescriptor<?, ?>> METHODS =
      Stream.of(InferenceServiceGrpc.getServiceDescriptor(), ModelServiceGrpc.getServiceDescriptor())
          .flatMap(service -> service.getMethods().stream())
          .collect(Collectors.toMap(Runner::nameOf, method -> method));

  private final JsonObject ports;
  private final ExecutorService threads = Executors.newCachedThreadPool();

  private Runner(JsonObject ports) {
    this.ports = ports;
  }

  /** Runs all cases; the exit code is 0 if all pass. */
  public static void main(String[] arguments) throws Exception {
    JsonArray cases = read(arguments[0]).getAsJsonArray("cases");
    Runner runner = new Runner(read(arguments[1]));
    if (arguments.length > 2) {
      runner.hold();
    }
    int failed = 0;
    for (JsonElement one : cases) {
      List<String> problems = runner.run(one.getAsJsonObject());
      failed += problems.isEmpty() ? 0 : 1;
      problems.forEach(words -> System.out.println("FAILED " + text(one.getAsJsonObject(), "name") + ": " + words));
    }
    System.out.printf("%d passed, %d failed%n", cases.size() - failed, failed);
    System.exit(failed == 0 ? 0 : 1);
  }

  /** Reads a stream until somebody kills this process. */
  private void hold() {
    int deltas = 0;
    try (Client client = Client.of(text(ports.getAsJsonObject("cores"), "plain"))) {
      for (GenerateResponse message : client.generate(Prompt.text("slow")).messages()) {
        if (message.hasDelta() && ++deltas == 2) {
          System.out.println("holding");
        }
      }
    }
  }

  private List<String> run(JsonObject first) throws Exception {
    List<String> problems = new ArrayList<>();
    try (Client client = clientFor(first)) {
      for (JsonObject step = first; step != null; step = object(object(step, "actions"), "then")) {
        problems.addAll(unknown(step.keySet(), KEYS));
        problems.addAll(unknown(object(step, "actions").keySet(), ACTIONS));
        JsonObject now = step;
        var call = threads.submit(() -> outcomeOf(now, client));
        try {
          problems.addAll(call.get(HANG_S + READY_S, TimeUnit.SECONDS).differences(step.getAsJsonObject("expect")));
        } catch (TimeoutException error) {
          problems.add("nothing came for %d s".formatted(HANG_S));
        } catch (ExecutionException error) {
          problems.add(error.getCause().toString());
        }
        if (!object(step, "actions").has("then")) {
          break;
        }
      }
    }
    return problems;
  }

  private Client clientFor(JsonObject one) {
    JsonElement core = one.get("core");
    List<JsonElement> names = core.isJsonArray() ? core.getAsJsonArray().asList() : List.of(core);
    var builder =
        Client.builder(
            names.stream().map(name -> text(ports.getAsJsonObject("cores"), name.getAsString())).toArray(String[]::new));
    JsonObject metadata = object(one, "metadata");
    if (one.has("key")) {
      builder.key(text(one, "key"));
    }
    if (one.has("tls")) {
      builder.tls(tls(text(one, "tls")));
    }
    if (metadata.has("priority")) {
      builder.priority(metadata.get("priority").getAsInt());
    }
    if (metadata.has("tenant")) {
      builder.tenant(text(metadata, "tenant"));
    }
    Client client = builder.build();
    if (metadata.has("prefix_key")) {
      client = client.withPrefixKey(text(metadata, "prefix_key"));
    }
    for (String name : metadata.keySet()) {
      client = OWN_METADATA.contains(name) ? client : client.withMetadata(name, text(metadata, name));
    }
    return client;
  }

  private Tls tls(String how) {
    JsonObject files = ports.getAsJsonObject("tls");
    Path ca = Path.of(text(files, "ca"));
    return switch (how) {
      case "server" -> Tls.trusting(ca);
      case "mutual" -> Tls.mutual(ca, Path.of(text(files, "cert")), Path.of(text(files, "key")));
      case "stranger" -> Tls.mutual(ca, Path.of(text(files, "other_cert")), Path.of(text(files, "other_key")));
      default -> throw new IllegalArgumentException("tls: " + how);
    };
  }

  private Outcome outcomeOf(JsonObject one, Client caller) throws Exception {
    JsonObject actions = object(one, "actions");
    Client client = caller;
    if (actions.has("deadline_ms")) {
      client = caller.withTimeout(Duration.ofMillis(actions.get("deadline_ms").getAsLong()));
    }
    if (one.has("once_ready")) {
      untilReady(caller);
    }
    Outcome outcome = new Outcome();
    String rpc = text(one, "rpc");
    try {
      switch (rpc) {
        case "Generate" -> generate(one, client, outcome);
        case "Health.Watch" -> watch(one, client, outcome);
        default -> outcome.response = json((Message) call(client, METHODS.get(rpc), requestOf(one)));
      }
    } catch (SlotlineException error) {
      outcome.error = error;
    }
    JsonObject expect = one.getAsJsonObject("expect");
    if (expect.has("idle_within_ms")) {
      outcome.isIdle = isIdleWithin(expect.get("idle_within_ms").getAsLong(), caller);
    }
    return outcome;
  }

  private static void generate(JsonObject one, Client client, Outcome outcome) throws IOException {
    var request = GenerateRequest.newBuilder();
    JsonFormat.parser().merge(requestOf(one).toString(), request);
    JsonObject actions = object(one, "actions");
    long cancelAfter = actions.has("cancel_after") ? actions.get("cancel_after").getAsLong() : -1;
    long deltas = 0;
    try (Generation generation = client.generate(request.build())) {
      for (GenerateResponse message : generation.messages()) {
        outcome.add(message);
        deltas += message.hasDelta() ? 1 : 0;
        if (deltas == cancelAfter) {
          generation.cancel();
          outcome.isCancelled = true;
        }
      }
    }
  }

  private static void watch(JsonObject one, Client client, Outcome outcome) throws InterruptedException {
    var statuses = new LinkedBlockingQueue<String>();
    JsonObject request = one.getAsJsonObject("request");
    String service = request.has("service") ? text(request, "service") : "";
    var watch = client.watchHealth(service, status -> statuses.add(status.name()));
    JsonElement wanted = one.getAsJsonObject("expect").get("statuses");
    while (wanted != null && outcome.statuses.size() < wanted.getAsJsonArray().size()) {
      String status = statuses.poll(HANG_S, TimeUnit.SECONDS);
      if (status == null) {
        break;
      }
      outcome.statuses.add(status);
    }
    watch.cancel(true);
  }

  private static <Q, R> R call(Client client, MethodDescriptor<Q, R> method, JsonObject request) throws IOException {
    var marshaller = (PrototypeMarshaller<Q>) method.getRequestMarshaller();
    Message.Builder message = ((Message) marshaller.getMessagePrototype()).newBuilderForType();
    JsonFormat.parser().merge(request.toString(), message);
    return client.call(method, marshaller.getMessageClass().cast(message.build()));
  }

  private static JsonObject requestOf(JsonObject one) {
    JsonObject request = one.getAsJsonObject("request").deepCopy();
    JsonObject repeat = object(one, "repeat");
    for (String path : repeat.keySet()) {
      String[] names = path.split("\\.");
      JsonElement place = request;
      for (int i = 0; i < names.length - 1; i++) {
        place =
            place.isJsonArray()
                ? place.getAsJsonArray().get(Integer.parseInt(names[i]))
                : place.getAsJsonObject().get(names[i]);
      }
      String last = names[names.length - 1];
      String text = text(place.getAsJsonObject(), last);
      place.getAsJsonObject().addProperty(last, text.repeat(repeat.get(path).getAsInt()));
    }
    return request;
  }

  private static void untilReady(Client client) throws InterruptedException {
    for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(READY_S); System.nanoTime() < end; Thread.sleep(10)) {
      try {
        client.health();
        return;
      } catch (SlotlineException error) {
        // Not yet there.
      }
    }
  }

  private static boolean isIdleWithin(long milliseconds, Client client) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(milliseconds);
    for (; System.nanoTime() < end; Thread.sleep(10)) {
      if (client.slots().stream().allMatch(slot -> slot.getState() == SlotState.SLOT_STATE_IDLE)) {
        return true;
      }
    }
    return false;
  }

  static JsonObject json(Message message) throws InvalidProtocolBufferException {
    String text = JsonFormat.printer().alwaysPrintFieldsWithNoPresence().print(message);
    return JsonParser.parseString(text).getAsJsonObject();
  }

  static JsonObject object(JsonObject parent, String name) {
    return parent.has(name) ? parent.getAsJsonObject(name) : new JsonObject();
  }

  static String text(JsonObject parent, String name) {
    return parent.get(name).getAsString();
  }

  private static List<String> unknown(Set<String> names, Set<String> known) {
    return names.stream().filter(name -> !known.contains(name)).map(name -> "unknown key " + name).toList();
  }

  private static String nameOf(MethodDescriptor<?, ?> method) {
    return method.getBareMethodName();
  }

  private static JsonObject read(String file) throws IOException {
    return JsonParser.parseString(Files.readString(Path.of(file))).getAsJsonObject();
  }
}
