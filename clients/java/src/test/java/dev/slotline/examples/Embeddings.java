package dev.slotline.examples;

import dev.slotline.client.Client;
import java.util.List;

/** How alike texts are. The server needs {@code --embedding}. */
public final class Embeddings {
  public static void main(String[] arguments) {
    String[] texts = {"A cat sleeps on the sofa.", "A kitten naps on the couch.", "The stock market fell today."};
    try (Client client = Client.of(Target.address())) {
      List<float[]> vectors = client.embed(texts);
      System.out.printf("%d vectors of %d numbers%n", vectors.size(), vectors.get(0).length);
      for (int i = 0; i < texts.length; i++) {
        System.out.printf("%.3f  %s%n", product(vectors.get(0), vectors.get(i)), texts[i]);
      }
    }
  }

  /** They have length 1, so that this is the cosine. */
  private static double product(float[] one, float[] other) {
    double sum = 0;
    for (int i = 0; i < one.length; i++) {
      sum += one[i] * other[i];
    }
    return sum;
  }
}
