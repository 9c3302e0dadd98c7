package dev.slotline.examples;

import dev.slotline.client.Client;
import dev.slotline.client.Completion;
import dev.slotline.client.Message;
import dev.slotline.client.Part;
import dev.slotline.client.Prompt;
import dev.slotline.v1.Model;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A question about a picture: {@code Picture FILE [QUESTION]}.
 *
 * <p>The server needs a model that takes pictures, and its projector ({@code --mmproj}).
 */
public final class Picture {
  public static void main(String[] arguments) throws IOException {
    if (arguments.length == 0) {
      throw new IllegalArgumentException("usage: Picture FILE [QUESTION]");
    }
    String question = arguments.length > 1 ? arguments[1] : "What is in this picture?";
    try (Client client = Client.of(Target.address())) {
      Model model = client.model("");
      if (!model.hasImages()) {
        System.out.println(model.getName() + " takes no pictures");
        return;
      }
      Message message = Message.user(Part.image(Path.of(arguments[0])), Part.text(question));
      Completion answer = client.chat(Prompt.chat(message).maxTokens(64));
      System.out.println(answer.text());
      var usage = answer.usage();
      System.out.printf("%d tokens of %d are the picture%n", usage.getImageTokens(), usage.getPromptTokens());
    }
  }
}
