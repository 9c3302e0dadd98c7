package dev.slotline.examples;

import dev.slotline.client.Client;
import dev.slotline.client.Tls;
import java.nio.file.Path;

/**
 * TLS with a certificate of the client: {@code MutualTls CA_FILE CERTIFICATE_FILE KEY_FILE}.
 *
 * <p>The server: {@code slotline core --grpc-tls-cert server.pem --grpc-tls-key server.key --grpc-client-ca ca.pem}
 */
public final class MutualTls {
  public static void main(String[] arguments) {
    if (arguments.length != 3) {
      throw new IllegalArgumentException("usage: MutualTls CA_FILE CERTIFICATE_FILE KEY_FILE");
    }
    // Tls.trusting(ca) is TLS without a certificate of the client.
    Tls tls = Tls.mutual(Path.of(arguments[0]), Path.of(arguments[1]), Path.of(arguments[2]));
    try (Client client = Client.builder(Target.address()).tls(tls).build()) {
      System.out.println("connected to " + client.model("").getName());
    }
  }
}
