package dev.slotline.client;

import dev.slotline.v1.Channel;
import dev.slotline.v1.Delta;
import dev.slotline.v1.GenerateResponse;
import dev.slotline.v1.Token;
import java.util.ArrayList;
import java.util.List;

/** What comes of a generation. {@code sequence} is the number of the continuation, from 0. */
public sealed interface Event {
  /** The request got its slot; the first event. */
  record Accepted(dev.slotline.v1.Accepted accepted) implements Event {}

  /** More of the prompt's tokens, if they were asked for. */
  record PromptTokens(List<Token> tokens) implements Event {}

  /** How far the prompt is evaluated, if that was asked for. */
  record PromptProgress(dev.slotline.v1.PromptProgress progress) implements Event {}

  /** More text; not empty. */
  record Text(String text, int sequence) implements Event {}

  /** More of what the model thinks before it answers, if output is parsed. */
  record Reasoning(String text, int sequence) implements Event {}

  /** The beginning of a tool call, with its id and name, or more of its arguments, which are JSON text. */
  record ToolCallDelta(int call, String id, String name, String arguments, int sequence) implements Event {}

  /** A continuation ended. */
  record Finished(dev.slotline.v1.Finished finished, int sequence) implements Event {}

  /** The events of a message; none for those of newer servers that this client does not know. */
  static List<Event> of(GenerateResponse message) {
    return switch (message.getEventCase()) {
      case ACCEPTED -> List.of(new Accepted(message.getAccepted()));
      case PROMPT -> List.of(new PromptTokens(message.getPrompt().getTokensList()));
      case PROGRESS -> List.of(new PromptProgress(message.getProgress()));
      case FINISHED -> List.of(new Finished(message.getFinished(), message.getFinished().getIndex()));
      case DELTA -> of(message.getDelta());
      case EVENT_NOT_SET -> List.of();
    };
  }

  private static List<Event> of(Delta delta) {
    List<Event> events = new ArrayList<>();
    for (var piece : delta.getPiecesList()) {
      if (!piece.getText().isEmpty()) {
        boolean isReasoning = piece.getChannel() == Channel.CHANNEL_REASONING;
        String text = piece.getText();
        events.add(isReasoning ? new Reasoning(text, delta.getIndex()) : new Text(text, delta.getIndex()));
      }
    }
    for (var call : delta.getToolDeltasList()) {
      events.add(
          new ToolCallDelta(call.getCall(), call.getId(), call.getName(), call.getArguments(), delta.getIndex()));
    }
    return events;
  }
}
