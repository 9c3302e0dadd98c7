package dev.slotline.client;

import dev.slotline.v1.FinishReason;
import dev.slotline.v1.Finished;
import dev.slotline.v1.Token;
import java.util.List;

/**
 * One of the continuations of a prompt.
 *
 * @param text everything that was generated; if output was parsed, the content of the answer.
 * @param reasoning what the model thought, if output was parsed.
 * @param toolCalls the calls that it makes, if output was parsed.
 * @param tokens records of the generated tokens, if they were asked for.
 * @param finished its last message, with everything else.
 */
public record Continuation(
    String text, String reasoning, List<ToolCall> toolCalls, List<Token> tokens, Finished finished) {
  /** Why it ended; {@code UNRECOGNIZED} stands for the words of newer servers. */
  public FinishReason finishReason() {
    return finished.getReason();
  }

  /** This answer as a turn of a conversation, with which to go on. */
  public Message message() {
    return Message.assistant(text, reasoning, toolCalls);
  }
}
