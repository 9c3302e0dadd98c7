package dev.slotline.client;

import dev.slotline.v1.GenerateRequest;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How a client makes its calls.
 *
 * @param turn counts the calls without a prefix key.
 * @param timeout null for no limit.
 * @param prefixKey null for that of each prompt.
 */
record Calls(List<Target> targets, AtomicInteger turn, Map<String, String> metadata, Duration timeout, String prefixKey) {
  Calls withTimeout(Duration limit) {
    return new Calls(targets, turn, metadata, limit, prefixKey);
  }

  Calls withPrefixKey(String key) {
    return new Calls(targets, turn, metadata, timeout, key);
  }

  Calls withMetadata(String name, String value) {
    Map<String, String> more = new LinkedHashMap<>(metadata);
    more.put(name, value);
    return new Calls(targets, turn, Collections.unmodifiableMap(more), timeout, prefixKey);
  }

  /** The prefix key of a request; empty for none. */
  String keyOf(GenerateRequest request) {
    return prefixKey == null ? PrefixKey.of(request) : prefixKey;
  }

  /** One call: by its prefix key, or in turns without one. */
  Tries tries(String key) {
    List<Target> order = new ArrayList<>(targets);
    if (key.isEmpty()) {
      Collections.rotate(order, -Math.floorMod(turn.getAndIncrement(), targets.size()));
    } else {
      order = PrefixKey.ranked(key, targets, Target::address);
    }
    Metadata headers = headers(key);
    return new Tries(order, target -> withHeaders(target, headers), timeout);
  }

  private static Channel withHeaders(Target target, Metadata headers) {
    return ClientInterceptors.intercept(target.channel(), MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  private Metadata headers(String key) {
    Metadata headers = new Metadata();
    metadata.forEach((name, value) -> headers.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value));
    if (!key.isEmpty()) {
      headers.put(Metadata.Key.of("slotline-prefix-key", Metadata.ASCII_STRING_MARSHALLER), key);
    }
    return headers;
  }
}
