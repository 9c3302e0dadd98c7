package dev.slotline.client;

import dev.slotline.v1.Accepted;
import dev.slotline.v1.FinishReason;
import dev.slotline.v1.Token;
import dev.slotline.v1.Usage;
import java.util.List;

/**
 * A whole answer.
 *
 * @param continuations one, or as many as were asked for.
 * @param prompt records of the prompt's tokens, if they were asked for.
 */
public record Completion(Accepted accepted, Usage usage, List<Continuation> continuations, List<Token> prompt) {
  /** Text of the first continuation. */
  public String text() {
    return first().text();
  }

  /** What the model thought before the first continuation, if output was parsed. */
  public String reasoning() {
    return first().reasoning();
  }

  /** Calls of the first continuation, if output was parsed. */
  public List<ToolCall> toolCalls() {
    return first().toolCalls();
  }

  /** Why the first continuation ended. */
  public FinishReason finishReason() {
    return first().finishReason();
  }

  /** The first continuation as a turn of a conversation. */
  public Message message() {
    return first().message();
  }

  private Continuation first() {
    return continuations.get(0);
  }
}
