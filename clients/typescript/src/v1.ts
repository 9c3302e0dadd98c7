/** The contract `slotline.v1`, as generated from its protos, and standard health. */
export * from "./gen/grpc/health/v1/health_pb.js";
export * from "./gen/slotline/v1/embedding_pb.js";
export * from "./gen/slotline/v1/generation_pb.js";
export * from "./gen/slotline/v1/inference_service_pb.js";
export * from "./gen/slotline/v1/model_pb.js";
export * from "./gen/slotline/v1/model_service_pb.js";
export * from "./gen/slotline/v1/options_pb.js";
export * from "./gen/slotline/v1/prompt_pb.js";
export * from "./gen/slotline/v1/sampling_pb.js";
export * from "./gen/slotline/v1/tokenization_pb.js";
export * from "./gen/slotline/v1/tokens_pb.js";
