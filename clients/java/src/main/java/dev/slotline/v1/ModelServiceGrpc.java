package dev.slotline.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * ModelService is the control plane: it tells what is served and how it fares.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class ModelServiceGrpc {

  private ModelServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "slotline.v1.ModelService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.ListModelsRequest,
      dev.slotline.v1.ListModelsResponse> getListModelsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListModels",
      requestType = dev.slotline.v1.ListModelsRequest.class,
      responseType = dev.slotline.v1.ListModelsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.ListModelsRequest,
      dev.slotline.v1.ListModelsResponse> getListModelsMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.ListModelsRequest, dev.slotline.v1.ListModelsResponse> getListModelsMethod;
    if ((getListModelsMethod = ModelServiceGrpc.getListModelsMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getListModelsMethod = ModelServiceGrpc.getListModelsMethod) == null) {
          ModelServiceGrpc.getListModelsMethod = getListModelsMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.ListModelsRequest, dev.slotline.v1.ListModelsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListModels"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.ListModelsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.ListModelsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("ListModels"))
              .build();
        }
      }
    }
    return getListModelsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.GetModelRequest,
      dev.slotline.v1.GetModelResponse> getGetModelMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetModel",
      requestType = dev.slotline.v1.GetModelRequest.class,
      responseType = dev.slotline.v1.GetModelResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.GetModelRequest,
      dev.slotline.v1.GetModelResponse> getGetModelMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.GetModelRequest, dev.slotline.v1.GetModelResponse> getGetModelMethod;
    if ((getGetModelMethod = ModelServiceGrpc.getGetModelMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getGetModelMethod = ModelServiceGrpc.getGetModelMethod) == null) {
          ModelServiceGrpc.getGetModelMethod = getGetModelMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.GetModelRequest, dev.slotline.v1.GetModelResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetModel"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.GetModelRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.GetModelResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("GetModel"))
              .build();
        }
      }
    }
    return getGetModelMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.HealthRequest,
      dev.slotline.v1.HealthResponse> getHealthMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Health",
      requestType = dev.slotline.v1.HealthRequest.class,
      responseType = dev.slotline.v1.HealthResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.HealthRequest,
      dev.slotline.v1.HealthResponse> getHealthMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.HealthRequest, dev.slotline.v1.HealthResponse> getHealthMethod;
    if ((getHealthMethod = ModelServiceGrpc.getHealthMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getHealthMethod = ModelServiceGrpc.getHealthMethod) == null) {
          ModelServiceGrpc.getHealthMethod = getHealthMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.HealthRequest, dev.slotline.v1.HealthResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Health"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.HealthRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.HealthResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("Health"))
              .build();
        }
      }
    }
    return getHealthMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.ListSlotsRequest,
      dev.slotline.v1.ListSlotsResponse> getListSlotsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListSlots",
      requestType = dev.slotline.v1.ListSlotsRequest.class,
      responseType = dev.slotline.v1.ListSlotsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.ListSlotsRequest,
      dev.slotline.v1.ListSlotsResponse> getListSlotsMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.ListSlotsRequest, dev.slotline.v1.ListSlotsResponse> getListSlotsMethod;
    if ((getListSlotsMethod = ModelServiceGrpc.getListSlotsMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getListSlotsMethod = ModelServiceGrpc.getListSlotsMethod) == null) {
          ModelServiceGrpc.getListSlotsMethod = getListSlotsMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.ListSlotsRequest, dev.slotline.v1.ListSlotsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListSlots"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.ListSlotsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.ListSlotsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("ListSlots"))
              .build();
        }
      }
    }
    return getListSlotsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.ApplyTemplateRequest,
      dev.slotline.v1.ApplyTemplateResponse> getApplyTemplateMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ApplyTemplate",
      requestType = dev.slotline.v1.ApplyTemplateRequest.class,
      responseType = dev.slotline.v1.ApplyTemplateResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.ApplyTemplateRequest,
      dev.slotline.v1.ApplyTemplateResponse> getApplyTemplateMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.ApplyTemplateRequest, dev.slotline.v1.ApplyTemplateResponse> getApplyTemplateMethod;
    if ((getApplyTemplateMethod = ModelServiceGrpc.getApplyTemplateMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getApplyTemplateMethod = ModelServiceGrpc.getApplyTemplateMethod) == null) {
          ModelServiceGrpc.getApplyTemplateMethod = getApplyTemplateMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.ApplyTemplateRequest, dev.slotline.v1.ApplyTemplateResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ApplyTemplate"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.ApplyTemplateRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.ApplyTemplateResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("ApplyTemplate"))
              .build();
        }
      }
    }
    return getApplyTemplateMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.GetMetricsRequest,
      dev.slotline.v1.GetMetricsResponse> getGetMetricsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetMetrics",
      requestType = dev.slotline.v1.GetMetricsRequest.class,
      responseType = dev.slotline.v1.GetMetricsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.GetMetricsRequest,
      dev.slotline.v1.GetMetricsResponse> getGetMetricsMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.GetMetricsRequest, dev.slotline.v1.GetMetricsResponse> getGetMetricsMethod;
    if ((getGetMetricsMethod = ModelServiceGrpc.getGetMetricsMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getGetMetricsMethod = ModelServiceGrpc.getGetMetricsMethod) == null) {
          ModelServiceGrpc.getGetMetricsMethod = getGetMetricsMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.GetMetricsRequest, dev.slotline.v1.GetMetricsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetMetrics"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.GetMetricsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.GetMetricsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("GetMetrics"))
              .build();
        }
      }
    }
    return getGetMetricsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.SaveSlotRequest,
      dev.slotline.v1.SaveSlotResponse> getSaveSlotMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "SaveSlot",
      requestType = dev.slotline.v1.SaveSlotRequest.class,
      responseType = dev.slotline.v1.SaveSlotResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.SaveSlotRequest,
      dev.slotline.v1.SaveSlotResponse> getSaveSlotMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.SaveSlotRequest, dev.slotline.v1.SaveSlotResponse> getSaveSlotMethod;
    if ((getSaveSlotMethod = ModelServiceGrpc.getSaveSlotMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getSaveSlotMethod = ModelServiceGrpc.getSaveSlotMethod) == null) {
          ModelServiceGrpc.getSaveSlotMethod = getSaveSlotMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.SaveSlotRequest, dev.slotline.v1.SaveSlotResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "SaveSlot"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.SaveSlotRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.SaveSlotResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("SaveSlot"))
              .build();
        }
      }
    }
    return getSaveSlotMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.RestoreSlotRequest,
      dev.slotline.v1.RestoreSlotResponse> getRestoreSlotMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RestoreSlot",
      requestType = dev.slotline.v1.RestoreSlotRequest.class,
      responseType = dev.slotline.v1.RestoreSlotResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.RestoreSlotRequest,
      dev.slotline.v1.RestoreSlotResponse> getRestoreSlotMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.RestoreSlotRequest, dev.slotline.v1.RestoreSlotResponse> getRestoreSlotMethod;
    if ((getRestoreSlotMethod = ModelServiceGrpc.getRestoreSlotMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getRestoreSlotMethod = ModelServiceGrpc.getRestoreSlotMethod) == null) {
          ModelServiceGrpc.getRestoreSlotMethod = getRestoreSlotMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.RestoreSlotRequest, dev.slotline.v1.RestoreSlotResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RestoreSlot"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.RestoreSlotRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.RestoreSlotResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("RestoreSlot"))
              .build();
        }
      }
    }
    return getRestoreSlotMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.EraseSlotRequest,
      dev.slotline.v1.EraseSlotResponse> getEraseSlotMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "EraseSlot",
      requestType = dev.slotline.v1.EraseSlotRequest.class,
      responseType = dev.slotline.v1.EraseSlotResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.EraseSlotRequest,
      dev.slotline.v1.EraseSlotResponse> getEraseSlotMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.EraseSlotRequest, dev.slotline.v1.EraseSlotResponse> getEraseSlotMethod;
    if ((getEraseSlotMethod = ModelServiceGrpc.getEraseSlotMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getEraseSlotMethod = ModelServiceGrpc.getEraseSlotMethod) == null) {
          ModelServiceGrpc.getEraseSlotMethod = getEraseSlotMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.EraseSlotRequest, dev.slotline.v1.EraseSlotResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "EraseSlot"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.EraseSlotRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.EraseSlotResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("EraseSlot"))
              .build();
        }
      }
    }
    return getEraseSlotMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.ListLoraAdaptersRequest,
      dev.slotline.v1.ListLoraAdaptersResponse> getListLoraAdaptersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListLoraAdapters",
      requestType = dev.slotline.v1.ListLoraAdaptersRequest.class,
      responseType = dev.slotline.v1.ListLoraAdaptersResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.ListLoraAdaptersRequest,
      dev.slotline.v1.ListLoraAdaptersResponse> getListLoraAdaptersMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.ListLoraAdaptersRequest, dev.slotline.v1.ListLoraAdaptersResponse> getListLoraAdaptersMethod;
    if ((getListLoraAdaptersMethod = ModelServiceGrpc.getListLoraAdaptersMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getListLoraAdaptersMethod = ModelServiceGrpc.getListLoraAdaptersMethod) == null) {
          ModelServiceGrpc.getListLoraAdaptersMethod = getListLoraAdaptersMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.ListLoraAdaptersRequest, dev.slotline.v1.ListLoraAdaptersResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListLoraAdapters"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.ListLoraAdaptersRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.ListLoraAdaptersResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("ListLoraAdapters"))
              .build();
        }
      }
    }
    return getListLoraAdaptersMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.slotline.v1.SetLoraScalesRequest,
      dev.slotline.v1.SetLoraScalesResponse> getSetLoraScalesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "SetLoraScales",
      requestType = dev.slotline.v1.SetLoraScalesRequest.class,
      responseType = dev.slotline.v1.SetLoraScalesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.slotline.v1.SetLoraScalesRequest,
      dev.slotline.v1.SetLoraScalesResponse> getSetLoraScalesMethod() {
    io.grpc.MethodDescriptor<dev.slotline.v1.SetLoraScalesRequest, dev.slotline.v1.SetLoraScalesResponse> getSetLoraScalesMethod;
    if ((getSetLoraScalesMethod = ModelServiceGrpc.getSetLoraScalesMethod) == null) {
      synchronized (ModelServiceGrpc.class) {
        if ((getSetLoraScalesMethod = ModelServiceGrpc.getSetLoraScalesMethod) == null) {
          ModelServiceGrpc.getSetLoraScalesMethod = getSetLoraScalesMethod =
              io.grpc.MethodDescriptor.<dev.slotline.v1.SetLoraScalesRequest, dev.slotline.v1.SetLoraScalesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "SetLoraScales"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.SetLoraScalesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.slotline.v1.SetLoraScalesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ModelServiceMethodDescriptorSupplier("SetLoraScales"))
              .build();
        }
      }
    }
    return getSetLoraScalesMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static ModelServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ModelServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ModelServiceStub>() {
        @java.lang.Override
        public ModelServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ModelServiceStub(channel, callOptions);
        }
      };
    return ModelServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static ModelServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ModelServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ModelServiceBlockingV2Stub>() {
        @java.lang.Override
        public ModelServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ModelServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return ModelServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static ModelServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ModelServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ModelServiceBlockingStub>() {
        @java.lang.Override
        public ModelServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ModelServiceBlockingStub(channel, callOptions);
        }
      };
    return ModelServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static ModelServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ModelServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ModelServiceFutureStub>() {
        @java.lang.Override
        public ModelServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ModelServiceFutureStub(channel, callOptions);
        }
      };
    return ModelServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * ModelService is the control plane: it tells what is served and how it fares.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * ListModels lists the served models.
     * </pre>
     */
    default void listModels(dev.slotline.v1.ListModelsRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.ListModelsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListModelsMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetModel describes one model.
     * </pre>
     */
    default void getModel(dev.slotline.v1.GetModelRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.GetModelResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetModelMethod(), responseObserver);
    }

    /**
     * <pre>
     * Health tells the state of the core, with load progress, slots, queue and KV use.
     * </pre>
     */
    default void health(dev.slotline.v1.HealthRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.HealthResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getHealthMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListSlots tells what every slot does. The answer contains the caller's own prompts that run.
     * </pre>
     */
    default void listSlots(dev.slotline.v1.ListSlotsRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.ListSlotsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListSlotsMethod(), responseObserver);
    }

    /**
     * <pre>
     * ApplyTemplate renders a conversation with the model's chat template.
     * </pre>
     */
    default void applyTemplate(dev.slotline.v1.ApplyTemplateRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.ApplyTemplateResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getApplyTemplateMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetMetrics reads the counters.
     * </pre>
     */
    default void getMetrics(dev.slotline.v1.GetMetricsRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.GetMetricsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetMetricsMethod(), responseObserver);
    }

    /**
     * <pre>
     * SaveSlot writes what a slot holds to a file on the server.
     * </pre>
     */
    default void saveSlot(dev.slotline.v1.SaveSlotRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.SaveSlotResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSaveSlotMethod(), responseObserver);
    }

    /**
     * <pre>
     * RestoreSlot lets a slot hold what a file has.
     * </pre>
     */
    default void restoreSlot(dev.slotline.v1.RestoreSlotRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.RestoreSlotResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRestoreSlotMethod(), responseObserver);
    }

    /**
     * <pre>
     * EraseSlot forgets what a slot holds.
     * </pre>
     */
    default void eraseSlot(dev.slotline.v1.EraseSlotRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.EraseSlotResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getEraseSlotMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListLoraAdapters lists the LoRA adapters of the model.
     * </pre>
     */
    default void listLoraAdapters(dev.slotline.v1.ListLoraAdaptersRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.ListLoraAdaptersResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListLoraAdaptersMethod(), responseObserver);
    }

    /**
     * <pre>
     * SetLoraScales changes how much each adapter changes the model, for everybody.
     * </pre>
     */
    default void setLoraScales(dev.slotline.v1.SetLoraScalesRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.SetLoraScalesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSetLoraScalesMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service ModelService.
   * <pre>
   * ModelService is the control plane: it tells what is served and how it fares.
   * </pre>
   */
  public static abstract class ModelServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return ModelServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service ModelService.
   * <pre>
   * ModelService is the control plane: it tells what is served and how it fares.
   * </pre>
   */
  public static final class ModelServiceStub
      extends io.grpc.stub.AbstractAsyncStub<ModelServiceStub> {
    private ModelServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ModelServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ModelServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * ListModels lists the served models.
     * </pre>
     */
    public void listModels(dev.slotline.v1.ListModelsRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.ListModelsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListModelsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetModel describes one model.
     * </pre>
     */
    public void getModel(dev.slotline.v1.GetModelRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.GetModelResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetModelMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Health tells the state of the core, with load progress, slots, queue and KV use.
     * </pre>
     */
    public void health(dev.slotline.v1.HealthRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.HealthResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getHealthMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListSlots tells what every slot does. The answer contains the caller's own prompts that run.
     * </pre>
     */
    public void listSlots(dev.slotline.v1.ListSlotsRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.ListSlotsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListSlotsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ApplyTemplate renders a conversation with the model's chat template.
     * </pre>
     */
    public void applyTemplate(dev.slotline.v1.ApplyTemplateRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.ApplyTemplateResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getApplyTemplateMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetMetrics reads the counters.
     * </pre>
     */
    public void getMetrics(dev.slotline.v1.GetMetricsRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.GetMetricsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetMetricsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * SaveSlot writes what a slot holds to a file on the server.
     * </pre>
     */
    public void saveSlot(dev.slotline.v1.SaveSlotRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.SaveSlotResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSaveSlotMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * RestoreSlot lets a slot hold what a file has.
     * </pre>
     */
    public void restoreSlot(dev.slotline.v1.RestoreSlotRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.RestoreSlotResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRestoreSlotMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * EraseSlot forgets what a slot holds.
     * </pre>
     */
    public void eraseSlot(dev.slotline.v1.EraseSlotRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.EraseSlotResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getEraseSlotMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListLoraAdapters lists the LoRA adapters of the model.
     * </pre>
     */
    public void listLoraAdapters(dev.slotline.v1.ListLoraAdaptersRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.ListLoraAdaptersResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListLoraAdaptersMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * SetLoraScales changes how much each adapter changes the model, for everybody.
     * </pre>
     */
    public void setLoraScales(dev.slotline.v1.SetLoraScalesRequest request,
        io.grpc.stub.StreamObserver<dev.slotline.v1.SetLoraScalesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSetLoraScalesMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service ModelService.
   * <pre>
   * ModelService is the control plane: it tells what is served and how it fares.
   * </pre>
   */
  public static final class ModelServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<ModelServiceBlockingV2Stub> {
    private ModelServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ModelServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ModelServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * ListModels lists the served models.
     * </pre>
     */
    public dev.slotline.v1.ListModelsResponse listModels(dev.slotline.v1.ListModelsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListModelsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetModel describes one model.
     * </pre>
     */
    public dev.slotline.v1.GetModelResponse getModel(dev.slotline.v1.GetModelRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetModelMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Health tells the state of the core, with load progress, slots, queue and KV use.
     * </pre>
     */
    public dev.slotline.v1.HealthResponse health(dev.slotline.v1.HealthRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getHealthMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListSlots tells what every slot does. The answer contains the caller's own prompts that run.
     * </pre>
     */
    public dev.slotline.v1.ListSlotsResponse listSlots(dev.slotline.v1.ListSlotsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListSlotsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ApplyTemplate renders a conversation with the model's chat template.
     * </pre>
     */
    public dev.slotline.v1.ApplyTemplateResponse applyTemplate(dev.slotline.v1.ApplyTemplateRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getApplyTemplateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetMetrics reads the counters.
     * </pre>
     */
    public dev.slotline.v1.GetMetricsResponse getMetrics(dev.slotline.v1.GetMetricsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetMetricsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * SaveSlot writes what a slot holds to a file on the server.
     * </pre>
     */
    public dev.slotline.v1.SaveSlotResponse saveSlot(dev.slotline.v1.SaveSlotRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSaveSlotMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * RestoreSlot lets a slot hold what a file has.
     * </pre>
     */
    public dev.slotline.v1.RestoreSlotResponse restoreSlot(dev.slotline.v1.RestoreSlotRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRestoreSlotMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * EraseSlot forgets what a slot holds.
     * </pre>
     */
    public dev.slotline.v1.EraseSlotResponse eraseSlot(dev.slotline.v1.EraseSlotRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getEraseSlotMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListLoraAdapters lists the LoRA adapters of the model.
     * </pre>
     */
    public dev.slotline.v1.ListLoraAdaptersResponse listLoraAdapters(dev.slotline.v1.ListLoraAdaptersRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListLoraAdaptersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * SetLoraScales changes how much each adapter changes the model, for everybody.
     * </pre>
     */
    public dev.slotline.v1.SetLoraScalesResponse setLoraScales(dev.slotline.v1.SetLoraScalesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSetLoraScalesMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service ModelService.
   * <pre>
   * ModelService is the control plane: it tells what is served and how it fares.
   * </pre>
   */
  public static final class ModelServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<ModelServiceBlockingStub> {
    private ModelServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ModelServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ModelServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * ListModels lists the served models.
     * </pre>
     */
    public dev.slotline.v1.ListModelsResponse listModels(dev.slotline.v1.ListModelsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListModelsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetModel describes one model.
     * </pre>
     */
    public dev.slotline.v1.GetModelResponse getModel(dev.slotline.v1.GetModelRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetModelMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Health tells the state of the core, with load progress, slots, queue and KV use.
     * </pre>
     */
    public dev.slotline.v1.HealthResponse health(dev.slotline.v1.HealthRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getHealthMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListSlots tells what every slot does. The answer contains the caller's own prompts that run.
     * </pre>
     */
    public dev.slotline.v1.ListSlotsResponse listSlots(dev.slotline.v1.ListSlotsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListSlotsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ApplyTemplate renders a conversation with the model's chat template.
     * </pre>
     */
    public dev.slotline.v1.ApplyTemplateResponse applyTemplate(dev.slotline.v1.ApplyTemplateRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getApplyTemplateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetMetrics reads the counters.
     * </pre>
     */
    public dev.slotline.v1.GetMetricsResponse getMetrics(dev.slotline.v1.GetMetricsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetMetricsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * SaveSlot writes what a slot holds to a file on the server.
     * </pre>
     */
    public dev.slotline.v1.SaveSlotResponse saveSlot(dev.slotline.v1.SaveSlotRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSaveSlotMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * RestoreSlot lets a slot hold what a file has.
     * </pre>
     */
    public dev.slotline.v1.RestoreSlotResponse restoreSlot(dev.slotline.v1.RestoreSlotRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRestoreSlotMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * EraseSlot forgets what a slot holds.
     * </pre>
     */
    public dev.slotline.v1.EraseSlotResponse eraseSlot(dev.slotline.v1.EraseSlotRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getEraseSlotMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListLoraAdapters lists the LoRA adapters of the model.
     * </pre>
     */
    public dev.slotline.v1.ListLoraAdaptersResponse listLoraAdapters(dev.slotline.v1.ListLoraAdaptersRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListLoraAdaptersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * SetLoraScales changes how much each adapter changes the model, for everybody.
     * </pre>
     */
    public dev.slotline.v1.SetLoraScalesResponse setLoraScales(dev.slotline.v1.SetLoraScalesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSetLoraScalesMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service ModelService.
   * <pre>
   * ModelService is the control plane: it tells what is served and how it fares.
   * </pre>
   */
  public static final class ModelServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<ModelServiceFutureStub> {
    private ModelServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ModelServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ModelServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * ListModels lists the served models.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.ListModelsResponse> listModels(
        dev.slotline.v1.ListModelsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListModelsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetModel describes one model.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.GetModelResponse> getModel(
        dev.slotline.v1.GetModelRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetModelMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Health tells the state of the core, with load progress, slots, queue and KV use.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.HealthResponse> health(
        dev.slotline.v1.HealthRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getHealthMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListSlots tells what every slot does. The answer contains the caller's own prompts that run.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.ListSlotsResponse> listSlots(
        dev.slotline.v1.ListSlotsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListSlotsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ApplyTemplate renders a conversation with the model's chat template.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.ApplyTemplateResponse> applyTemplate(
        dev.slotline.v1.ApplyTemplateRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getApplyTemplateMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetMetrics reads the counters.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.GetMetricsResponse> getMetrics(
        dev.slotline.v1.GetMetricsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetMetricsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * SaveSlot writes what a slot holds to a file on the server.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.SaveSlotResponse> saveSlot(
        dev.slotline.v1.SaveSlotRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSaveSlotMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * RestoreSlot lets a slot hold what a file has.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.RestoreSlotResponse> restoreSlot(
        dev.slotline.v1.RestoreSlotRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRestoreSlotMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * EraseSlot forgets what a slot holds.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.EraseSlotResponse> eraseSlot(
        dev.slotline.v1.EraseSlotRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getEraseSlotMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListLoraAdapters lists the LoRA adapters of the model.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.ListLoraAdaptersResponse> listLoraAdapters(
        dev.slotline.v1.ListLoraAdaptersRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListLoraAdaptersMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * SetLoraScales changes how much each adapter changes the model, for everybody.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.slotline.v1.SetLoraScalesResponse> setLoraScales(
        dev.slotline.v1.SetLoraScalesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSetLoraScalesMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_LIST_MODELS = 0;
  private static final int METHODID_GET_MODEL = 1;
  private static final int METHODID_HEALTH = 2;
  private static final int METHODID_LIST_SLOTS = 3;
  private static final int METHODID_APPLY_TEMPLATE = 4;
  private static final int METHODID_GET_METRICS = 5;
  private static final int METHODID_SAVE_SLOT = 6;
  private static final int METHODID_RESTORE_SLOT = 7;
  private static final int METHODID_ERASE_SLOT = 8;
  private static final int METHODID_LIST_LORA_ADAPTERS = 9;
  private static final int METHODID_SET_LORA_SCALES = 10;

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
        case METHODID_LIST_MODELS:
          serviceImpl.listModels((dev.slotline.v1.ListModelsRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.ListModelsResponse>) responseObserver);
          break;
        case METHODID_GET_MODEL:
          serviceImpl.getModel((dev.slotline.v1.GetModelRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.GetModelResponse>) responseObserver);
          break;
        case METHODID_HEALTH:
          serviceImpl.health((dev.slotline.v1.HealthRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.HealthResponse>) responseObserver);
          break;
        case METHODID_LIST_SLOTS:
          serviceImpl.listSlots((dev.slotline.v1.ListSlotsRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.ListSlotsResponse>) responseObserver);
          break;
        case METHODID_APPLY_TEMPLATE:
          serviceImpl.applyTemplate((dev.slotline.v1.ApplyTemplateRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.ApplyTemplateResponse>) responseObserver);
          break;
        case METHODID_GET_METRICS:
          serviceImpl.getMetrics((dev.slotline.v1.GetMetricsRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.GetMetricsResponse>) responseObserver);
          break;
        case METHODID_SAVE_SLOT:
          serviceImpl.saveSlot((dev.slotline.v1.SaveSlotRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.SaveSlotResponse>) responseObserver);
          break;
        case METHODID_RESTORE_SLOT:
          serviceImpl.restoreSlot((dev.slotline.v1.RestoreSlotRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.RestoreSlotResponse>) responseObserver);
          break;
        case METHODID_ERASE_SLOT:
          serviceImpl.eraseSlot((dev.slotline.v1.EraseSlotRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.EraseSlotResponse>) responseObserver);
          break;
        case METHODID_LIST_LORA_ADAPTERS:
          serviceImpl.listLoraAdapters((dev.slotline.v1.ListLoraAdaptersRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.ListLoraAdaptersResponse>) responseObserver);
          break;
        case METHODID_SET_LORA_SCALES:
          serviceImpl.setLoraScales((dev.slotline.v1.SetLoraScalesRequest) request,
              (io.grpc.stub.StreamObserver<dev.slotline.v1.SetLoraScalesResponse>) responseObserver);
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
          getListModelsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.ListModelsRequest,
              dev.slotline.v1.ListModelsResponse>(
                service, METHODID_LIST_MODELS)))
        .addMethod(
          getGetModelMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.GetModelRequest,
              dev.slotline.v1.GetModelResponse>(
                service, METHODID_GET_MODEL)))
        .addMethod(
          getHealthMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.HealthRequest,
              dev.slotline.v1.HealthResponse>(
                service, METHODID_HEALTH)))
        .addMethod(
          getListSlotsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.ListSlotsRequest,
              dev.slotline.v1.ListSlotsResponse>(
                service, METHODID_LIST_SLOTS)))
        .addMethod(
          getApplyTemplateMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.ApplyTemplateRequest,
              dev.slotline.v1.ApplyTemplateResponse>(
                service, METHODID_APPLY_TEMPLATE)))
        .addMethod(
          getGetMetricsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.GetMetricsRequest,
              dev.slotline.v1.GetMetricsResponse>(
                service, METHODID_GET_METRICS)))
        .addMethod(
          getSaveSlotMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.SaveSlotRequest,
              dev.slotline.v1.SaveSlotResponse>(
                service, METHODID_SAVE_SLOT)))
        .addMethod(
          getRestoreSlotMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.RestoreSlotRequest,
              dev.slotline.v1.RestoreSlotResponse>(
                service, METHODID_RESTORE_SLOT)))
        .addMethod(
          getEraseSlotMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.EraseSlotRequest,
              dev.slotline.v1.EraseSlotResponse>(
                service, METHODID_ERASE_SLOT)))
        .addMethod(
          getListLoraAdaptersMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.ListLoraAdaptersRequest,
              dev.slotline.v1.ListLoraAdaptersResponse>(
                service, METHODID_LIST_LORA_ADAPTERS)))
        .addMethod(
          getSetLoraScalesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.slotline.v1.SetLoraScalesRequest,
              dev.slotline.v1.SetLoraScalesResponse>(
                service, METHODID_SET_LORA_SCALES)))
        .build();
  }

  private static abstract class ModelServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    ModelServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.slotline.v1.ModelServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("ModelService");
    }
  }

  private static final class ModelServiceFileDescriptorSupplier
      extends ModelServiceBaseDescriptorSupplier {
    ModelServiceFileDescriptorSupplier() {}
  }

  private static final class ModelServiceMethodDescriptorSupplier
      extends ModelServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    ModelServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (ModelServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new ModelServiceFileDescriptorSupplier())
              .addMethod(getListModelsMethod())
              .addMethod(getGetModelMethod())
              .addMethod(getHealthMethod())
              .addMethod(getListSlotsMethod())
              .addMethod(getApplyTemplateMethod())
              .addMethod(getGetMetricsMethod())
              .addMethod(getSaveSlotMethod())
              .addMethod(getRestoreSlotMethod())
              .addMethod(getEraseSlotMethod())
              .addMethod(getListLoraAdaptersMethod())
              .addMethod(getSetLoraScalesMethod())
              .build();
        }
      }
    }
    return result;
  }
}
