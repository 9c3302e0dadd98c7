/** What the view "API" shows. */

/** Examples; `code` takes the address of this server. */
export const EXAMPLES = Object.freeze([
  {
    title: "REST",
    remark: "",
    code: (origin) => `curl -N ${origin}/completion \\
  -d '{"prompt": "The capital of France is",
       "n_predict": 32, "stream": true}'

curl ${origin}/v1/chat/completions \\
  -d '{"messages": [{"role": "user",
                     "content": "Hello!"}]}'`,
  },
  {
    title: "OpenAI client",
    remark: "",
    code: (origin) => `from openai import OpenAI

client = OpenAI(
    base_url="${origin}/v1",
    api_key="-")
hello = {"role": "user", "content": "Hello!"}
answer = client.chat.completions.create(
    model="any", messages=[hello])
print(answer.choices[0].message.content)`,
  },
  {
    title: "gRPC",
    remark: "with the Python stubs, at the default address",
    code: () => `import grpc
from slotline.v1.generation_pb2 import GenerateRequest, StopParams
from slotline.v1.inference_service_pb2_grpc import InferenceServiceStub

with grpc.insecure_channel("127.0.0.1:50051") as channel:
    request = GenerateRequest(text="The capital of France is", stop=StopParams(max_tokens=32))
    for response in InferenceServiceStub(channel).Generate(request):
        for piece in response.delta.pieces:
            print(piece.text, end="", flush=True)`,
  },
]);

/** The routes of the server that people call themselves. */
export const ROUTES = Object.freeze([
  { method: "POST", paths: ["/completion"], text: "Continues a prompt, streamed or not" },
  { method: "POST", paths: ["/v1/chat/completions"], text: "Answers a conversation in the OpenAI form" },
  { method: "POST", paths: ["/v1/completions"], text: "Continues prompts in the OpenAI form" },
  { method: "POST", paths: ["/infill"], text: "Fills the gap between a prefix and a suffix" },
  { method: "POST", paths: ["/embedding", "/v1/embeddings"], text: "Texts to vectors, if started with --embedding" },
  { method: "POST", paths: ["/tokenize", "/detokenize"], text: "Text to tokens and back" },
  { method: "GET", paths: ["/v1/models"], text: "The model" },
  { method: "GET", paths: ["/health"], text: "Whether it is ready, and how many slots are free" },
  { method: "GET", paths: ["/slots"], text: "What every slot does" },
  { method: "GET", paths: ["/props"], text: "Default settings and system prompt" },
  { method: "GET", paths: ["/metrics"], text: "Counters for Prometheus, if started with --metrics" },
]);
