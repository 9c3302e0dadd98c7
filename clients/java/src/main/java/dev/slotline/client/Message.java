package dev.slotline.client;

import dev.slotline.v1.ChatMessage;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** One turn of a conversation. */
public final class Message {
  final ChatMessage message;

  private Message(ChatMessage message) {
    this.message = message;
  }

  /** A turn of any role that the model's template knows. */
  public static Message of(String role, Part... content) {
    var parts = Arrays.stream(content).map(part -> part.message).toList();
    return new Message(ChatMessage.newBuilder().setRole(role).addAllContent(parts).build());
  }

  /** What the model is told first. */
  public static Message system(String text) {
    return of("system", Part.text(text));
  }

  /** What the user says. */
  public static Message user(String text) {
    return of("user", Part.text(text));
  }

  /** What the user says, with pictures. */
  public static Message user(Part... content) {
    return of("user", content);
  }

  /** What the model has said. */
  public static Message assistant(String text) {
    return of("assistant", Part.text(text));
  }

  /** What the model has said, thought and called. */
  public static Message assistant(String text, String reasoning, List<ToolCall> toolCalls) {
    var turn = ChatMessage.newBuilder().setRole("assistant");
    if (!text.isEmpty() || toolCalls.isEmpty()) {
      turn.addContent(Part.text(text).message);
    }
    if (!reasoning.isEmpty()) {
      turn.setReasoning(reasoning);
    }
    if (!toolCalls.isEmpty()) {
      turn.setToolCallsJson(toolCalls.stream().map(Message::json).collect(Collectors.joining(",", "[", "]")));
    }
    return new Message(turn.build());
  }

  /** What a tool gave for a call. */
  public static Message tool(ToolCall call, String result) {
    var turn = ChatMessage.newBuilder().setRole("tool").addContent(Part.text(result).message);
    return new Message(turn.setToolCallId(call.id()).build());
  }

  private static String json(ToolCall call) {
    return "{\"id\":%s,\"type\":\"function\",\"function\":{\"name\":%s,\"arguments\":%s}}"
        .formatted(Json.quoted(call.id()), Json.quoted(call.name()), Json.quoted(call.arguments()));
  }
}
