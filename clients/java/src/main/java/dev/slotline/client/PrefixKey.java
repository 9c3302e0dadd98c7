package dev.slotline.client;

import dev.slotline.v1.ChatMessage;
import dev.slotline.v1.GenerateRequest;
import dev.slotline.v1.PromptPart;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Function;

/** The prefix key: which prompts begin alike, told to balancers. {@code clients/README.md} has its definition. */
public final class PrefixKey {
  private static final int BLOCK = 256;
  private static final int MOST_BLOCKS = 4;
  private static final int DIGITS = 32;

  private PrefixKey() {}

  /** The key of a request; empty for prompts of less than one block. */
  public static String of(GenerateRequest request) {
    byte[] bytes = promptBytes(request);
    int blocks = Math.min(MOST_BLOCKS, bytes.length / BLOCK);
    if (blocks == 0) {
      return "";
    }
    var chat = request.getChat();
    byte[] hash =
        sha256(
            utf8(
                String.join(
                    "\0",
                    request.getModel(),
                    request.getCache().getCacheSalt(),
                    chat.getToolsJson(),
                    chat.getTemplateKwargsJson())));
    for (int i = 0; i < blocks; i++) {
      hash = sha256(hash, Arrays.copyOfRange(bytes, i * BLOCK, (i + 1) * BLOCK));
    }
    return HexFormat.of().formatHex(hash).substring(0, DIGITS);
  }

  /** Several servers in the order in which they are asked for a key. */
  static <T> List<T> ranked(String key, List<T> targets, Function<T, String> address) {
    Comparator<T> byRank =
        (one, other) ->
            Arrays.compareUnsigned(
                sha256(utf8(key + "\n" + address.apply(one))), sha256(utf8(key + "\n" + address.apply(other))));
    return targets.stream().sorted(byRank.reversed()).toList();
  }

  private static byte[] promptBytes(GenerateRequest request) {
    var bytes = new ByteArrayOutputStream();
    switch (request.getPromptCase()) {
      case TEXT -> bytes.writeBytes(utf8(request.getText()));
      case TOKEN_IDS -> bytes.writeBytes(idBytes(request.getTokenIds().getIdsList()));
      case PARTS -> write(bytes, request.getParts().getPartsList());
      case INFILL -> {
        write(bytes, request.getInfill().getPrefix().getPartsList());
        write(bytes, request.getInfill().getSuffix().getPartsList());
      }
      case CHAT -> {
        for (ChatMessage message : request.getChat().getMessagesList()) {
          bytes.writeBytes(utf8(message.getRole() + "\0"));
          write(bytes, message.getContentList());
          bytes.write(0);
        }
      }
      case PROMPT_NOT_SET -> {}
    }
    return bytes.toByteArray();
  }

  private static void write(ByteArrayOutputStream bytes, List<PromptPart> parts) {
    for (PromptPart part : parts) {
      switch (part.getPartCase()) {
        case TEXT -> bytes.writeBytes(utf8(part.getText()));
        case TOKEN_IDS -> bytes.writeBytes(idBytes(part.getTokenIds().getIdsList()));
        case IMAGE -> bytes.writeBytes(sha256(part.getImage().getData().toByteArray()));
        case PART_NOT_SET -> {}
      }
    }
  }

  private static byte[] idBytes(List<Integer> ids) {
    ByteBuffer bytes = ByteBuffer.allocate(ids.size() * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    ids.forEach(bytes::putInt);
    return bytes.array();
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] sha256(byte[]... parts) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (byte[] part : parts) {
        digest.update(part);
      }
      return digest.digest();
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException("every Java has SHA-256", error);
    }
  }
}
