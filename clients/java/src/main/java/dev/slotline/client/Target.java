package dev.slotline.client;

import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.TimeUnit;

/** One server. */
final class Target {
  /** The server must let clients ask whether it is still there so often. */
  private static final int PING_S = 20;

  private final String address;
  private final ManagedChannel channel;

  Target(String address, Tls tls) {
    if (!address.startsWith("unix:") && !address.matches("[^/\\s]+:\\d+")) {
      throw new IllegalArgumentException("targets: \"" + address + "\" is not host:port or unix:/path");
    }
    this.address = address;
    try {
      // Unix sockets stay plain: nobody listens in between.
      boolean isPlain = tls == null || address.startsWith("unix:");
      var builder =
          Grpc.newChannelBuilder(address, isPlain ? InsecureChannelCredentials.create() : tls.credentials())
              .maxInboundMessageSize(Integer.MAX_VALUE)
              .keepAliveTime(PING_S, TimeUnit.SECONDS)
              .keepAliveTimeout(PING_S, TimeUnit.SECONDS);
      if (!isPlain && tls.serverName() != null) {
        builder.overrideAuthority(tls.serverName());
      }
      channel = builder.build();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  String address() {
    return address;
  }

  /** The channel, which tries again at once if the last attempt to connect has failed. */
  ManagedChannel channel() {
    if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
      channel.resetConnectBackoff();
    }
    return channel;
  }

  void close() {
    channel.shutdownNow();
  }
}
