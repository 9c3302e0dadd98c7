package dev.slotline.client;

import dev.slotline.v1.Accepted;
import dev.slotline.v1.Finished;
import dev.slotline.v1.GenerateResponse;
import dev.slotline.v1.Token;
import dev.slotline.v1.Usage;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** What has been seen of a stream so far. */
final class Answer {
  private final TreeMap<Integer, Sequence> sequences = new TreeMap<>();
  private final List<Token> prompt = new ArrayList<>();
  private Accepted accepted;
  private Usage usage;

  /** Takes a message and returns what is new in it. */
  List<Event> add(GenerateResponse message) {
    if (message.hasDelta()) {
      Sequence sequence = sequence(message.getDelta().getIndex());
      message.getDelta().getPiecesList().forEach(piece -> sequence.tokens.addAll(piece.getTokensList()));
    }
    List<Event> events = Event.of(message);
    events.forEach(this::add);
    return events;
  }

  private void add(Event event) {
    if (event instanceof Event.Accepted first) {
      accepted = first.accepted();
    } else if (event instanceof Event.PromptTokens more) {
      prompt.addAll(more.tokens());
    } else if (event instanceof Event.Text more) {
      sequence(more.sequence()).text.append(more.text());
    } else if (event instanceof Event.Reasoning more) {
      sequence(more.sequence()).reasoning.append(more.text());
    } else if (event instanceof Event.ToolCallDelta more) {
      sequence(more.sequence())
          .calls
          .computeIfAbsent(more.call(), number -> new Call(more.id(), more.name(), new StringBuilder()))
          .arguments
          .append(more.arguments());
    } else if (event instanceof Event.Finished last) {
      sequence(last.sequence()).finished = last.finished();
      usage = last.finished().hasUsage() ? last.finished().getUsage() : usage;
    }
  }

  /**
   * The whole answer.
   *
   * @throws IllegalStateException if the stream has not come to its end.
   */
  Completion completion() {
    if (accepted == null || usage == null) {
      throw new IllegalStateException("the answer is not complete: iterate to the end first");
    }
    List<Continuation> continuations = sequences.values().stream().map(Sequence::continuation).toList();
    return new Completion(accepted, usage, continuations, List.copyOf(prompt));
  }

  private Sequence sequence(int index) {
    return sequences.computeIfAbsent(index, number -> new Sequence());
  }

  private record Call(String id, String name, StringBuilder arguments) {}

  private static final class Sequence {
    final StringBuilder text = new StringBuilder();
    final StringBuilder reasoning = new StringBuilder();
    final TreeMap<Integer, Call> calls = new TreeMap<>();
    final List<Token> tokens = new ArrayList<>();
    Finished finished = Finished.getDefaultInstance();

    Continuation continuation() {
      List<ToolCall> made =
          calls.values().stream().map(one -> new ToolCall(one.id, one.name, one.arguments.toString())).toList();
      return new Continuation(text.toString(), reasoning.toString(), made, List.copyOf(tokens), finished);
    }
  }
}
