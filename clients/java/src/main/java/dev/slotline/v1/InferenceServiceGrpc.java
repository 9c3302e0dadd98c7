package dev.slotline.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * InferenceService is the data plane: it turns prompts into text, vectors and tokens.
 * Failures are statuses with a google.rpc.ErrorInfo whose domain is "slotline" and whose reason is stable; bad fields
 * are listed in a google.rpc.BadRequest, and refusals that pass carry a google.rpc.RetryInfo. Cancelling a call, or its
 * deadline, frees its slot at the engine's next step.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class InferenceServiceGrpc {

  private InferenceServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "slotline.v1.InferenceService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.GenerateRequest,
      dev.slotline.v1.GenerateResponse> getGenerateMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Generate",
      requestType = dev.slotline.v1.GenerateRequest.class,
      responseType = dev.slotline.v1.GenerateResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.GenerateRequest,
      dev.slotline.v1.GenerateResponse> getGenerateMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.GenerateRequest, dev.slotline.v1.GenerateResponse> getGenerateMethod;
    if ((getGenerateMethod = InferenceServiceGrpc.getGenerateMethod) == null) {
      synchronized (InferenceServiceGrpc.class) {
        if ((getGenerateMethod = InferenceServiceGrpc.getGenerateMethod) == null) {
          InferenceServiceGrpc.getGenerateMethod = getGenerateMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.GenerateRequest, dev.slotline.v1.GenerateResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Generate"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.GenerateRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.GenerateResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InferenceServiceMethodDescriptorSupplier("Generate"))
              .build();
        }
      }
    }
    return getGenerateMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.EmbedRequest,
      dev.slotline.v1.EmbedResponse> getEmbedMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Embed",
      requestType = dev.slotline.v1.EmbedRequest.class,
      responseType = dev.slotline.v1.EmbedResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.EmbedRequest,
      dev.slotline.v1.EmbedResponse> getEmbedMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.EmbedRequest, dev.slotline.v1.EmbedResponse> getEmbedMethod;
    if ((getEmbedMethod = InferenceServiceGrpc.getEmbedMethod) == null) {
      synchronized (InferenceServiceGrpc.class) {
        if ((getEmbedMethod = InferenceServiceGrpc.getEmbedMethod) == null) {
          InferenceServiceGrpc.getEmbedMethod = getEmbedMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.EmbedRequest, dev.slotline.v1.EmbedResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Embed"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.EmbedRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.EmbedResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InferenceServiceMethodDescriptorSupplier("Embed"))
              .build();
        }
      }
    }
    return getEmbedMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.RerankRequest,
      dev.slotline.v1.RerankResponse> getRerankMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Rerank",
      requestType = dev.slotline.v1.RerankRequest.class,
      responseType = dev.slotline.v1.RerankResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.RerankRequest,
      dev.slotline.v1.RerankResponse> getRerankMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.RerankRequest, dev.slotline.v1.RerankResponse> getRerankMethod;
    if ((getRerankMethod = InferenceServiceGrpc.getRerankMethod) == null) {
      synchronized (InferenceServiceGrpc.class) {
        if ((getRerankMethod = InferenceServiceGrpc.getRerankMethod) == null) {
          InferenceServiceGrpc.getRerankMethod = getRerankMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.RerankRequest, dev.slotline.v1.RerankResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Rerank"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.RerankRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.RerankResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InferenceServiceMethodDescriptorSupplier("Rerank"))
              .build();
        }
      }
    }
    return getRerankMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.TokenizeRequest,
      dev.slotline.v1.TokenizeResponse> getTokenizeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Tokenize",
      requestType = dev.slotline.v1.TokenizeRequest.class,
      responseType = dev.slotline.v1.TokenizeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.TokenizeRequest,
      dev.slotline.v1.TokenizeResponse> getTokenizeMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.TokenizeRequest, dev.slotline.v1.TokenizeResponse> getTokenizeMethod;
    if ((getTokenizeMethod = InferenceServiceGrpc.getTokenizeMethod) == null) {
      synchronized (InferenceServiceGrpc.class) {
        if ((getTokenizeMethod = InferenceServiceGrpc.getTokenizeMethod) == null) {
          InferenceServiceGrpc.getTokenizeMethod = getTokenizeMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.TokenizeRequest, dev.slotline.v1.TokenizeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Tokenize"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.TokenizeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.TokenizeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InferenceServiceMethodDescriptorSupplier("Tokenize"))
              .build();
        }
      }
    }
    return getTokenizeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.DetokenizeRequest,
      dev.slotline.v1.DetokenizeResponse> getDetokenizeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Detokenize",
      requestType = dev.slotline.v1.DetokenizeRequest.class,
      responseType = dev.slotline.v1.DetokenizeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.DetokenizeRequest,
      dev.slotline.v1.DetokenizeResponse> getDetokenizeMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.DetokenizeRequest, dev.slotline.v1.DetokenizeResponse> getDetokenizeMethod;
    if ((getDetokenizeMethod = InferenceServiceGrpc.getDetokenizeMethod) == null) {
      synchronized (InferenceServiceGrpc.class) {
        if ((getDetokenizeMethod = InferenceServiceGrpc.getDetokenizeMethod) == null) {
          InferenceServiceGrpc.getDetokenizeMethod = getDetokenizeMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.DetokenizeRequest, dev.slotline.v1.DetokenizeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Detokenize"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.DetokenizeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.DetokenizeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InferenceServiceMethodDescriptorSupplier("Detokenize"))
              .build();
        }
      }
    }
    return getDetokenizeMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static InferenceServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<InferenceServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<InferenceServiceStub>() {
        @java.lang.Override
        public InferenceServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new InferenceServiceStub(channel, callOptions);
        }
      };
    return InferenceServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static InferenceServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<InferenceServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<InferenceServiceBlockingV2Stub>() {
        @java.lang.Override
        public InferenceServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new InferenceServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return InferenceServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static InferenceServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<InferenceServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<InferenceServiceBlockingStub>() {
        @java.lang.Override
        public InferenceServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new InferenceServiceBlockingStub(channel, callOptions);
        }
      };
    return InferenceServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static InferenceServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<InferenceServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<InferenceServiceFutureStub>() {
        @java.lang.Override
        public InferenceServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new InferenceServiceFutureStub(channel, callOptions);
        }
      };
    return InferenceServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * InferenceService is the data plane: it turns prompts into text, vectors and tokens.
   * Failures are statuses with a google.rpc.ErrorInfo whose domain is "slotline" and whose reason is stable; bad fields
   * are listed in a google.rpc.BadRequest, and refusals that pass carry a google.rpc.RetryInfo. Cancelling a call, or its
   * deadline, frees its slot at the engine's next step.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Generate continues a prompt and streams the result. The stream is Accepted once, Delta any number of times, and
     * Finished once per sequence; after a failure it ends with a status instead.
     * Metadata "slotline-priority", an integer from -100 to 100, 0 without it: of waiting calls those of the highest
     * priority start first, in order of arrival. While no slot is free, a call also takes the slot of a running one of
     * lower priority, which goes on later where it was.
     * Metadata "slotline-tenant", one word of at most 128 printable ASCII characters, says for whom the caller calls:
     * different ones share no caches and do not see each other's prompts. It divides what the caller's key may share.
     * </pre>
     */
    default void generate(dev.slotline.v1.GenerateRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.GenerateResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGenerateMethod(), responseObserver);
    }

    /**
     * <pre>
     * Embed turns texts into vectors.
     * </pre>
     */
    default void embed(dev.slotline.v1.EmbedRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.EmbedResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getEmbedMethod(), responseObserver);
    }

    /**
     * <pre>
     * Rerank scores how relevant texts are to a query.
     * </pre>
     */
    default void rerank(dev.slotline.v1.RerankRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.RerankResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRerankMethod(), responseObserver);
    }

    /**
     * <pre>
     * Tokenize turns a text into token ids.
     * </pre>
     */
    default void tokenize(dev.slotline.v1.TokenizeRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.TokenizeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getTokenizeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Detokenize turns token ids into a text.
     * </pre>
     */
    default void detokenize(dev.slotline.v1.DetokenizeRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.DetokenizeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDetokenizeMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service InferenceService.
   * <pre>
   * InferenceService is the data plane: it turns prompts into text, vectors and tokens.
   * Failures are statuses with a google.rpc.ErrorInfo whose domain is "slotline" and whose reason is stable; bad fields
   * are listed in a google.rpc.BadRequest, and refusals that pass carry a google.rpc.RetryInfo. Cancelling a call, or its
   * deadline, frees its slot at the engine's next step.
   * </pre>
   */
  public static abstract class InferenceServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return InferenceServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service InferenceService.
   * <pre>
   * InferenceService is the data plane: it turns prompts into text, vectors and tokens.
   * Failures are statuses with a google.rpc.ErrorInfo whose domain is "slotline" and whose reason is stable; bad fields
   * are listed in a google.rpc.BadRequest, and refusals that pass carry a google.rpc.RetryInfo. Cancelling a call, or its
   * deadline, frees its slot at the engine's next step.
   * </pre>
   */
  public static final class InferenceServiceStub
      extends io.grpc.stub.AbstractAsyncStub<InferenceServiceStub> {
    private InferenceServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected InferenceServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new InferenceServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Generate continues a prompt and streams the result. The stream is Accepted once, Delta any number of times, and
     * Finished once per sequence; after a failure it ends with a status instead.
     * Metadata "slotline-priority", an integer from -100 to 100, 0 without it: of waiting calls those of the highest
     * priority start first, in order of arrival. While no slot is free, a call also takes the slot of a running one of
     * lower priority, which goes on later where it was.
     * Metadata "slotline-tenant", one word of at most 128 printable ASCII characters, says for whom the caller calls:
     * different ones share no caches and do not see each other's prompts. It divides what the caller's key may share.
     * </pre>
     */
    public void generate(dev.slotline.v1.GenerateRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.GenerateResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getGenerateMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Embed turns texts into vectors.
     * </pre>
     */
    public void embed(dev.slotline.v1.EmbedRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.EmbedResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getEmbedMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Rerank scores how relevant texts are to a query.
     * </pre>
     */
    public void rerank(dev.slotline.v1.RerankRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.RerankResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRerankMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Tokenize turns a text into token ids.
     * </pre>
     */
    public void tokenize(dev.slotline.v1.TokenizeRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.TokenizeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getTokenizeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Detokenize turns token ids into a text.
     * </pre>
     */
    public void detokenize(dev.slotline.v1.DetokenizeRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.DetokenizeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDetokenizeMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service InferenceService.
   * <pre>
   * InferenceService is the data plane: it turns prompts into text, vectors and tokens.
   * Failures are statuses with a google.rpc.ErrorInfo whose domain is "slotline" and whose reason is stable; bad fields
   * are listed in a google.rpc.BadRequest, and refusals that pass carry a google.rpc.RetryInfo. Cancelling a call, or its
   * deadline, frees its slot at the engine's next step.
   * </pre>
   */
  public static final class InferenceServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<InferenceServiceBlockingV2Stub> {
    private InferenceServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected InferenceServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new InferenceServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Generate continues a prompt and streams the result. The stream is Accepted once, Delta any number of times, and
     * Finished once per sequence; after a failure it ends with a status instead.
     * Metadata "slotline-priority", an integer from -100 to 100, 0 without it: of waiting calls those of the highest
     * priority start first, in order of arrival. While no slot is free, a call also takes the slot of a running one of
     * lower priority, which goes on later where it was.
     * Metadata "slotline-tenant", one word of at most 128 printable ASCII characters, says for whom the caller calls:
     * different ones share no caches and do not see each other's prompts. It divides what the caller's key may share.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.slotline.v1.GenerateResponse>
        generate(dev.slotline.v1.GenerateRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getGenerateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Embed turns texts into vectors.
     * </pre>
     */
    public dev.slotline.v1.EmbedResponse embed(dev.slotline.v1.EmbedRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getEmbedMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Rerank scores how relevant texts are to a query.
     * </pre>
     */
    public dev.slotline.v1.RerankResponse rerank(dev.slotline.v1.RerankRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRerankMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Tokenize turns a text into token ids.
     * </pre>
     */
    public dev.slotline.v1.TokenizeResponse tokenize(dev.slotline.v1.TokenizeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getTokenizeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Detokenize turns token ids into a text.
     * </pre>
     */
    public dev.slotline.v1.DetokenizeResponse detokenize(dev.slotline.v1.DetokenizeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDetokenizeMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service InferenceService.
   * <pre>
   * InferenceService is the data plane: it turns prompts into text, vectors and tokens.
   * Failures are statuses with a google.rpc.ErrorInfo whose domain is "slotline" and whose reason is stable; bad fields
   * are listed in a google.rpc.BadRequest, and refusals that pass carry a google.rpc.RetryInfo. Cancelling a call, or its
   * deadline, frees its slot at the engine's next step.
   * </pre>
   */
  public static final class InferenceServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<InferenceServiceBlockingStub> {
    private InferenceServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected InferenceServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new InferenceServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Generate continues a prompt and streams the result. The stream is Accepted once, Delta any number of times, and
     * Finished once per sequence; after a failure it ends with a status instead.
     * Metadata "slotline-priority", an integer from -100 to 100, 0 without it: of waiting calls those of the highest
     * priority start first, in order of arrival. While no slot is free, a call also takes the slot of a running one of
     * lower priority, which goes on later where it was.
     * Metadata "slotline-tenant", one word of at most 128 printable ASCII characters, says for whom the caller calls:
     * different ones share no caches and do not see each other's prompts. It divides what the caller's key may share.
     * </pre>
     */
    public java.util.Iterator<dev.slotline.v1.GenerateResponse> generate(
        dev.slotline.v1.GenerateRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getGenerateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Embed turns texts into vectors.
     * </pre>
     */
    public dev.slotline.v1.EmbedResponse embed(dev.slotline.v1.EmbedRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getEmbedMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Rerank scores how relevant texts are to a query.
     * </pre>
     */
    public dev.slotline.v1.RerankResponse rerank(dev.slotline.v1.RerankRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRerankMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Tokenize turns a text into token ids.
     * </pre>
     */
    public dev.slotline.v1.TokenizeResponse tokenize(dev.slotline.v1.TokenizeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getTokenizeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Detokenize turns token ids into a text.
     * </pre>
     */
    public dev.slotline.v1.DetokenizeResponse detokenize(dev.slotline.v1.DetokenizeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDetokenizeMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service InferenceService.
   * <pre>
   * InferenceService is the data plane: it turns prompts into text, vectors and tokens.
   * Failures are statuses with a google.rpc.ErrorInfo whose domain is "slotline" and whose reason is stable; bad fields
   * are listed in a google.rpc.BadRequest, and refusals that pass carry a google.rpc.RetryInfo. Cancelling a call, or its
   * deadline, frees its slot at the engine's next step.
   * </pre>
   */
  public static final class InferenceServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<InferenceServiceFutureStub> {
    private InferenceServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected InferenceServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new InferenceServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Embed turns texts into vectors.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.EmbedResponse> embed(
        dev.slotline.v1.EmbedRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getEmbedMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Rerank scores how relevant texts are to a query.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.RerankResponse> rerank(
        dev.slotline.v1.RerankRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRerankMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Tokenize turns a text into token ids.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.TokenizeResponse> tokenize(
        dev.slotline.v1.TokenizeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getTokenizeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Detokenize turns token ids into a text.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.DetokenizeResponse> detokenize(
        dev.slotline.v1.DetokenizeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDetokenizeMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GENERATE = 0;
  private static final int METHODID_EMBED = 1;
  private static final int METHODID_RERANK = 2;
  private static final int METHODID_TOKENIZE = 3;
  private static final int METHODID_DETOKENIZE = 4;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_GENERATE:
          serviceImpl.generate((dev.slotline.v1.GenerateRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.GenerateResponse>) responseObserver);
          break;
        case METHODID_EMBED:
          serviceImpl.embed((dev.slotline.v1.EmbedRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.EmbedResponse>) responseObserver);
          break;
        case METHODID_RERANK:
          serviceImpl.rerank((dev.slotline.v1.RerankRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.RerankResponse>) responseObserver);
          break;
        case METHODID_TOKENIZE:
          serviceImpl.tokenize((dev.slotline.v1.TokenizeRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.TokenizeResponse>) responseObserver);
          break;
        case METHODID_DETOKENIZE:
          serviceImpl.detokenize((dev.slotline.v1.DetokenizeRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.DetokenizeResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getGenerateMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.slotline.v1.GenerateRequest,
              dev.slotline.v1.GenerateResponse>(
                service, METHODID_GENERATE)))
        .addMethod(
          getEmbedMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.EmbedRequest,
              dev.slotline.v1.EmbedResponse>(
                service, METHODID_EMBED)))
        .addMethod(
          getRerankMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.RerankRequest,
              dev.slotline.v1.RerankResponse>(
                service, METHODID_RERANK)))
        .addMethod(
          getTokenizeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.TokenizeRequest,
              dev.slotline.v1.TokenizeResponse>(
                service, METHODID_TOKENIZE)))
        .addMethod(
          getDetokenizeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.DetokenizeRequest,
              dev.slotline.v1.DetokenizeResponse>(
                service, METHODID_DETOKENIZE)))
        .build();
  }

  private static abstract class InferenceServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    InferenceServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.slotline.v1.InferenceServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("InferenceService");
    }
  }

  private static final class InferenceServiceFileDescriptorSupplier
      extends InferenceServiceBaseDescriptorSupplier {
    InferenceServiceFileDescriptorSupplier() {}
  }

  private static final class InferenceServiceMethodDescriptorSupplier
      extends InferenceServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    InferenceServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (InferenceServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new InferenceServiceFileDescriptorSupplier())
              .addMethod(getGenerateMethod())
              .addMethod(getEmbedMethod())
              .addMethod(getRerankMethod())
              .addMethod(getTokenizeMethod())
              .addMethod(getDetokenizeMethod())
              .build();
        }
      }
    }
    return result;
  }
}
