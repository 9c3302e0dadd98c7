package dev.slotline.suite;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.slotline.client.LostException;
import dev.slotline.client.SlotlineException;
import dev.slotline.v1.FinishReason;
import dev.slotline.v1.GenerateResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;

/** What came of a call. */
final class Outcome {
  final List<String> statuses = new ArrayList<>();
  JsonObject response = new JsonObject();
  SlotlineException error;
  boolean isCancelled;
  boolean isIdle;
  private final List<String> events = new ArrayList<>();
  private final TreeMap<Integer, JsonObject> sequences = new TreeMap<>();
  private JsonObject accepted = new JsonObject();
  private JsonObject usage = new JsonObject();

  void add(GenerateResponse message) throws InvalidProtocolBufferException {
    switch (message.getEventCase()) {
      case ACCEPTED -> accepted = Runner.json(message.getAccepted());
      case DELTA -> {
        JsonObject sequence = sequence(message.getDelta().getIndex());
        StringBuilder text = new StringBuilder(Runner.text(sequence, "text"));
        message.getDelta().getPiecesList().forEach(piece -> text.append(piece.getText()));
        sequence.addProperty("text", text.toString());
      }
      case FINISHED -> {
        FinishReason reason = message.getFinished().getReason();
        String word = reason == FinishReason.UNRECOGNIZED ? "UNKNOWN" : reason.name();
        sequence(message.getFinished().getIndex()).addProperty("finish", word);
        usage = message.getFinished().hasUsage() ? Runner.json(message.getFinished().getUsage()) : usage;
      }
      case PROMPT -> {}
      case EVENT_NOT_SET -> {
        return;
      }
    }
    events.add(message.getEventCase().name().toLowerCase(Locale.ROOT));
  }

  /** What is not as expected. */
  List<String> differences(JsonObject expect) {
    List<String> wrong = new ArrayList<>();
    if (error != null && !expect.has("status") && !expect.has("lost")) {
      wrong.add("failed: " + error);
    }
    for (String name : expect.keySet()) {
      JsonElement wanted = expect.get(name);
      if (!holds(name, wanted)) {
        wrong.add("%s: expected %s, came %s".formatted(name, wanted, came(name)));
      }
    }
    return wrong;
  }

  private boolean holds(String name, JsonElement wanted) {
    return switch (name) {
      case "events" -> matches(wanted.getAsString());
      case "sequences", "usage", "accepted", "response", "metadata", "statuses" -> isSubset(wanted, value(name));
      case "count" -> wanted.getAsJsonObject().entrySet().stream().allMatch(one -> size(one.getKey()) == one.getValue().getAsInt());
      case "status" -> error != null && error.code().name().equals(wanted.getAsString());
      case "reason" -> error != null && error.reason().equals(wanted.getAsString());
      case "field" -> error != null && error.field().orElse("").equals(wanted.getAsString());
      case "retry_after" -> error != null && error.retryAfter().isPresent() == wanted.getAsBoolean();
      case "lost" -> error instanceof LostException == wanted.getAsBoolean();
      case "cancelled" -> isCancelled == wanted.getAsBoolean();
      case "idle_within_ms" -> isIdle;
      default -> false;
    };
  }

  private Object came(String name) {
    return switch (name) {
      case "events" -> events;
      case "sequences", "usage", "accepted", "response", "metadata", "statuses" -> value(name);
      case "cancelled" -> isCancelled;
      default -> error;
    };
  }

  private JsonElement value(String name) {
    return switch (name) {
      case "usage" -> usage;
      case "accepted" -> accepted;
      case "response" -> response;
      case "metadata" -> {
        JsonObject facts = new JsonObject();
        if (error != null) {
          error.metadata().forEach(facts::addProperty);
        }
        yield facts;
      }
      case "sequences" -> {
        JsonArray all = new JsonArray();
        sequences.values().forEach(all::add);
        yield all;
      }
      default -> {
        JsonArray all = new JsonArray();
        statuses.forEach(all::add);
        yield all;
      }
    };
  }

  private int size(String name) {
    JsonElement value = response.get(name);
    return value.isJsonArray() ? value.getAsJsonArray().size() : value.getAsString().length();
  }

  /** Whether kinds of events are those of a pattern such as {@code accepted delta+ finished}. */
  private boolean matches(String pattern) {
    StringBuilder expression = new StringBuilder();
    for (String word : pattern.split(" ")) {
      expression.append(word.replaceAll("^([a-z]+)([+*]?)$", "(?:$1 )$2"));
    }
    StringBuilder came = new StringBuilder();
    events.forEach(event -> came.append(event).append(' '));
    return came.toString().matches(expression.toString());
  }

  /** Whether everything that is wanted is there; lists are as long as is wanted. */
  private static boolean isSubset(JsonElement wanted, JsonElement came) {
    if (came == null) {
      return false;
    }
    if (wanted.isJsonObject()) {
      return came.isJsonObject()
          && wanted.getAsJsonObject().entrySet().stream()
              .allMatch(one -> isSubset(one.getValue(), came.getAsJsonObject().get(one.getKey())));
    }
    if (wanted.isJsonArray()) {
      List<JsonElement> items = wanted.getAsJsonArray().asList();
      if (!came.isJsonArray() || came.getAsJsonArray().size() != items.size()) {
        return false;
      }
      for (int i = 0; i < items.size(); i++) {
        if (!isSubset(items.get(i), came.getAsJsonArray().get(i))) {
          return false;
        }
      }
      return true;
    }
    return wanted.equals(came) || isSameNumber(wanted, came);
  }

  private static boolean isSameNumber(JsonElement wanted, JsonElement came) {
    return wanted.isJsonPrimitive()
        && came.isJsonPrimitive()
        && wanted.getAsJsonPrimitive().isNumber()
        && came.getAsJsonPrimitive().isNumber()
        && wanted.getAsDouble() == came.getAsDouble();
  }

  private JsonObject sequence(int index) {
    return sequences.computeIfAbsent(
        index,
        number -> {
          JsonObject sequence = new JsonObject();
          sequence.addProperty("text", "");
          return sequence;
        });
  }
}
