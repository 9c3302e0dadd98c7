package dev.slotline.client;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.nio.file.Path;

/**
 * What a client presents and expects on an encrypted connection. Files are PEM; what is null is left out.
 *
 * @param ca certificates of the authorities that may sign the server's; null for those of Java.
 * @param certificate the client's certificate, where the server demands one.
 * @param key its private key, as PKCS#8.
 * @param serverName the name that the server's certificate must have, if it is not that of the address.
 */
public record Tls(Path ca, Path certificate, Path key, String serverName) {
  /** A connection whose server is signed by one of these authorities. */
  public static Tls trusting(Path ca) {
    return new Tls(ca, null, null, null);
  }

  /** A connection on which the client shows a certificate, too. */
  public static Tls mutual(Path ca, Path certificate, Path key) {
    return new Tls(ca, certificate, key, null);
  }

  ChannelCredentials credentials() throws IOException {
    TlsChannelCredentials.Builder made = TlsChannelCredentials.newBuilder();
    if (ca != null) {
      made.trustManager(ca.toFile());
    }
    if (certificate != null) {
      made.keyManager(certificate.toFile(), key.toFile());
    }
    return made.build();
  }
}
