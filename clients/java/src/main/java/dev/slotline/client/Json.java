package dev.slotline.client;

/** The little JSON that a client writes. */
final class Json {
  private Json() {}

  /** A text as JSON has it. */
  static String quoted(String text) {
    var made = new StringBuilder("\"");
    text.chars()
        .forEach(
            unit -> {
              if (unit == '"' || unit == '\\') {
                made.append('\\').append((char) unit);
              } else if (unit < ' ') {
                made.append(String.format("\\u%04x", unit));
              } else {
                made.append((char) unit);
              }
            });
    return made.append('"').toString();
  }
}
