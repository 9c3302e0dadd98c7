package dev.slotline.examples;

/** Where the server of the examples is. */
final class Target {
  private Target() {}

  static String address() {
    String given = System.getenv("SLOTLINE_TARGET");
    return given == null || given.isEmpty() ? "127.0.0.1:50051" : given;
  }
}
