package dev.slotline.client;

/**
 * A function that the model may call.
 *
 * @param parameters a JSON Schema of its arguments, as JSON text.
 */
public record Tool(String name, String description, String parameters) {
  String json() {
    return "{\"type\":\"function\",\"function\":{\"name\":%s,\"description\":%s,\"parameters\":%s}}"
        .formatted(Json.quoted(name), Json.quoted(description), parameters);
  }
}
