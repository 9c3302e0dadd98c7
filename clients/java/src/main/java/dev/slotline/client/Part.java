package dev.slotline.client;

import com.google.protobuf.ByteString;
import dev.slotline.v1.Image;
import dev.slotline.v1.PromptPart;
import dev.slotline.v1.TokenIds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** A piece of a prompt, of the content of a message, or of what is embedded. */
public final class Part {
  final PromptPart message;

  private Part(PromptPart message) {
    this.message = message;
  }

  /** A text. */
  public static Part text(String text) {
    return new Part(PromptPart.newBuilder().setText(text).build());
  }

  /** Token ids. */
  public static Part tokens(int... ids) {
    return new Part(PromptPart.newBuilder().setTokenIds(tokenIds(ids)).build());
  }

  /**
   * A picture from a PNG, JPEG, WebP, GIF or BMP file, which is sent as it is.
   *
   * @throws IOException if the file cannot be read.
   */
  public static Part image(Path file) throws IOException {
    return image(Files.readAllBytes(file));
  }

  /** A picture from the bytes of such a file. */
  public static Part image(byte[] file) {
    if (file.length == 0) {
      throw new IllegalArgumentException("file: is empty; a picture is the bytes of a PNG, JPEG, WebP, GIF or BMP file");
    }
    return new Part(PromptPart.newBuilder().setImage(Image.newBuilder().setData(ByteString.copyFrom(file))).build());
  }

  static TokenIds tokenIds(int... ids) {
    return TokenIds.newBuilder().addAllIds(Arrays.stream(ids).boxed().toList()).build();
  }
}
