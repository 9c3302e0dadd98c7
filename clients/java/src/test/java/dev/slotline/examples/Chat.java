package dev.slotline.examples;

import dev.slotline.client.Client;
import dev.slotline.client.Completion;
import dev.slotline.client.Event;
import dev.slotline.client.Generation;
import dev.slotline.client.Message;
import dev.slotline.client.Prompt;
import dev.slotline.client.Tool;
import dev.slotline.v1.ToolMode;
import java.util.ArrayList;
import java.util.List;

/** A conversation of two turns, and a tool that the model calls. */
public final class Chat {
  public static void main(String[] arguments) {
    try (Client client = Client.of(Target.address())) {
      List<Message> messages = new ArrayList<>(List.of(Message.user("What is the capital of Germany?")));
      Completion answer = client.chat(Prompt.chat(messages).maxTokens(32).temperature(0));
      int tokens = answer.usage().getCompletionTokens();
      System.out.printf("%s (%s, %d tokens)%n", answer.text(), answer.finishReason(), tokens);

      messages.add(answer.message());
      messages.add(Message.user("And of France?"));
      try (Generation generation = client.generate(Prompt.chat(messages).maxTokens(32).temperature(0))) {
        for (Event event : generation) {
          if (event instanceof Event.Text more) {
            System.out.print(more.text());
          } else if (event instanceof Event.Finished last) {
            int cached = last.finished().getUsage().getCachedPromptTokens();
            System.out.printf("%n%d tokens of the prompt were in the cache%n", cached);
          }
        }
      }

      String city = "{\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}, \"required\": [\"city\"]}";
      Prompt question =
          Prompt.chat(Message.user("What is the weather in Paris?"))
              .tools(new Tool("get_weather", "The weather in a city, now.", city))
              .toolChoice(ToolMode.TOOL_MODE_REQUIRED)
              .parallelToolCalls(false)
              .maxTokens(64)
              .temperature(0);
      client.chat(question).toolCalls().forEach(call -> System.out.println(call.name() + " " + call.arguments()));
    }
  }
}
