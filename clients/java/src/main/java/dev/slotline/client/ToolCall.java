package dev.slotline.client;

/**
 * A call that the model makes.
 *
 * @param arguments JSON text as the model wrote it; not whole if the answer was cut in it.
 */
public record ToolCall(String id, String name, String arguments) {}
