package dev.slotline.examples;

import dev.slotline.client.Client;
import dev.slotline.client.Generation;
import dev.slotline.client.Prompt;

/** Text as it is generated: {@code Stream [PROMPT]}. */
public final class Stream {
  public static void main(String[] arguments) {
    String prompt = arguments.length > 0 ? arguments[0] : "The capital of France is";
    try (Client client = Client.of(Target.address());
        Generation generation = client.generate(Prompt.text(prompt).maxTokens(32).temperature(0))) {
      for (String text : generation.text()) {
        System.out.print(text);
        System.out.flush();
      }
      System.out.println();
    }
  }
}
