package dev.slotline.client;

import com.google.protobuf.Struct;
import dev.slotline.v1.ChatPrompt;
import dev.slotline.v1.Choices;
import dev.slotline.v1.Constraint;
import dev.slotline.v1.GenerateRequest;
import dev.slotline.v1.InfillPrompt;
import dev.slotline.v1.JsonObject;
import dev.slotline.v1.JsonStyle;
import dev.slotline.v1.LogitBias;
import dev.slotline.v1.LoraScale;
import dev.slotline.v1.LoraScales;
import dev.slotline.v1.Overflow;
import dev.slotline.v1.PromptParts;
import dev.slotline.v1.ReasoningFormat;
import dev.slotline.v1.ReasoningOptions;
import dev.slotline.v1.SamplerList;
import dev.slotline.v1.SamplerType;
import dev.slotline.v1.SequenceBreakers;
import dev.slotline.v1.SystemPrompt;
import dev.slotline.v1.ToolMode;
import dev.slotline.v1.ToolPolicy;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A prompt and the options of its generation; an option that is not set takes the server's default. The server checks
 * ranges, and refuses what is out of them with a {@link SlotlineException}. There may be one of {@code grammar},
 * {@code jsonSchema}, {@code jsonObject}, {@code choice}, {@code regex} and {@code lark}. Those from {@code tools} on are
 * for conversations.
 */
public final class Prompt extends PlainOptions<Prompt> {
  private boolean isParsingChosen;

  private Prompt(GenerateRequest.Builder request) {
    super(request);
  }

  /** A text to continue. */
  public static Prompt text(String text) {
    return new Prompt(GenerateRequest.newBuilder().setText(text));
  }

  /** Token ids to continue. */
  public static Prompt tokens(int... ids) {
    return new Prompt(GenerateRequest.newBuilder().setTokenIds(Part.tokenIds(ids)));
  }

  /** Texts, pictures and token ids to continue. */
  public static Prompt parts(Part... parts) {
    return new Prompt(GenerateRequest.newBuilder().setParts(message(parts)));
  }

  /** A gap to fill, for models that can. */
  public static Prompt infill(String prefix, String suffix) {
    var gap = InfillPrompt.newBuilder().setPrefix(message(Part.text(prefix))).setSuffix(message(Part.text(suffix)));
    return new Prompt(GenerateRequest.newBuilder().setInfill(gap));
  }

  /** A conversation to answer. */
  public static Prompt chat(Message... messages) {
    return chat(List.of(messages));
  }

  /** A conversation to answer. */
  public static Prompt chat(List<Message> messages) {
    var chat = ChatPrompt.newBuilder().addAllMessages(messages.stream().map(one -> one.message).toList());
    return new Prompt(GenerateRequest.newBuilder().setChat(chat));
  }

  /** The message that is sent. */
  public GenerateRequest toRequest() {
    return request.build();
  }

  /** Texts that end the answer, and are left out of it. */
  public Prompt stop(String... texts) {
    request.getStopBuilder().addAllTexts(List.of(texts));
    return this;
  }

  /** Tokens that end the answer, besides the model's own. */
  public Prompt stopTokenIds(int... ids) {
    request.getStopBuilder().addAllTokenIds(Arrays.stream(ids).boxed().toList());
    return this;
  }

  /** Adds to the logit of a token; minus infinity bans it. */
  public Prompt logitBias(int tokenId, float bias) {
    request.getSamplingBuilder().addLogitBias(LogitBias.newBuilder().setTokenId(tokenId).setBias(bias));
    return this;
  }

  /** Adds to the logits of a text's tokens; minus infinity bans them. */
  public Prompt logitBias(String text, float bias) {
    request.getSamplingBuilder().addLogitBias(LogitBias.newBuilder().setText(text).setBias(bias));
    return this;
  }

  /** Scales of LoRA adapters for this request, by their numbers; all others get 0, with an empty map all do. */
  public Prompt lora(Map<Integer, Float> scales) {
    var lora = LoraScales.newBuilder();
    scales.forEach((id, scale) -> lora.addScales(LoraScale.newBuilder().setId(unsigned("lora", id)).setScale(scale)));
    request.setLora(lora);
    return this;
  }

  /** Samplers in their order; none at all samples from the plain softmax. */
  public Prompt samplers(SamplerType... samplers) {
    request.getSamplingBuilder().setSamplers(SamplerList.newBuilder().addAllSamplers(List.of(samplers)));
    return this;
  }

  /** Texts across which no repetition is seen by {@code dryMultiplier}; none at all lets repetitions be of any texts. */
  public Prompt drySequenceBreakers(String... texts) {
    request.getSamplingBuilder().setDrySequenceBreakers(SequenceBreakers.newBuilder().addAllTexts(List.of(texts)));
    return this;
  }

  /** A text that the penalties look at instead of the prompt. */
  public Prompt penaltyPrompt(String text) {
    request.getSamplingBuilder().getPenaltyPromptBuilder().setText(text);
    return this;
  }

  /** Token ids that the penalties look at instead of the prompt. */
  public Prompt penaltyPrompt(int... ids) {
    request.getSamplingBuilder().getPenaltyPromptBuilder().setTokenIds(Part.tokenIds(ids));
    return this;
  }

  /** GBNF, of which the rule named root is the whole answer. */
  public Prompt grammar(String gbnf) {
    onlyConstraint("grammar").setGbnf(gbnf);
    return this;
  }

  /** A JSON Schema that the answer obeys, as JSON text. */
  public Prompt jsonSchema(String schema) {
    onlyConstraint("jsonSchema").setJsonSchema(schema);
    return this;
  }

  /** The answer is any JSON object. */
  public Prompt jsonObject() {
    onlyConstraint("jsonObject").setJsonObject(JsonObject.getDefaultInstance());
    return this;
  }

  /** How JSON under {@code jsonSchema} or {@code jsonObject} is written. */
  public Prompt jsonStyle(JsonStyle style) {
    request.getConstraintBuilder().setJsonStyle(style);
    return this;
  }

  /** Texts of which the answer is one. */
  public Prompt choice(String... texts) {
    onlyConstraint("choice").setChoice(Choices.newBuilder().addAllTexts(List.of(texts)));
    return this;
  }

  /** A regular expression that the whole answer matches. */
  public Prompt regex(String expression) {
    onlyConstraint("regex").setRegex(expression);
    return this;
  }

  /** A grammar in the Lark dialect of llguidance, with a rule named start. */
  public Prompt lark(String grammar) {
    onlyConstraint("lark").setLark(grammar);
    return this;
  }

  /** Text in front of every prompt of the server; an empty one removes it. */
  public Prompt systemPrompt(String text) {
    request.setSystemPrompt(SystemPrompt.newBuilder().setPrompt(text));
    return this;
  }

  /** Whether a prompt that does not fit is shortened instead of refused. */
  public Prompt truncate(boolean value) {
    request.setOverflow(value ? Overflow.OVERFLOW_TRUNCATE : Overflow.OVERFLOW_REFUSE);
    return this;
  }

  /** Name or alias of the model. */
  public Prompt model(String name) {
    request.setModel(name);
    return this;
  }

  /** The caller's id of the request, which is echoed. */
  public Prompt requestId(String id) {
    request.setRequestId(id);
    return this;
  }

  /** Best-effort extras, never needed for correctness. */
  public Prompt extra(Struct extra) {
    request.setExtra(extra);
    return this;
  }

  /** What the model may call. Parses the output, unless {@link #parseOutput} says otherwise. */
  public Prompt tools(Tool... tools) {
    chat("tools").setToolsJson(Arrays.stream(tools).map(Tool::json).collect(Collectors.joining(",", "[", "]")));
    return parsed();
  }

  /** Whether it calls them: not at all, if it wants to, or in any case. Parses the output, as {@link #tools}. */
  public Prompt toolChoice(ToolMode mode) {
    policy("toolChoice").setMode(mode);
    return parsed();
  }

  /** Names of the tools that it may call; it sees the others, too. Parses the output, as {@link #tools}. */
  public Prompt allowedTools(String... names) {
    policy("allowedTools").addAllAllowedNames(List.of(names));
    return parsed();
  }

  /** Whether an answer may make several calls. Default true. Parses the output, as {@link #tools}. */
  public Prompt parallelToolCalls(boolean value) {
    policy("parallelToolCalls").setParallel(value);
    return parsed();
  }

  /** Whether it thinks before it answers, where the chat template has a switch for that. */
  public Prompt enableThinking(boolean value) {
    reasoning("enableThinking").setEnabled(value);
    return this;
  }

  /** How hard it thinks, in a word of the chat template: {@code low}, {@code medium}, {@code high}. */
  public Prompt reasoningEffort(String word) {
    reasoning("reasoningEffort").setEffort(word);
    return this;
  }

  /** Tokens of reasoning after which it is closed and the answer begins. Parses the output, as {@link #tools}. */
  public Prompt reasoningBudgetTokens(long tokens) {
    reasoning("reasoningBudgetTokens").setBudgetTokens(unsigned("reasoningBudgetTokens", tokens));
    return parsed();
  }

  /** Text that ends reasoning whose budget is used up. */
  public Prompt reasoningBudgetMessage(String text) {
    reasoning("reasoningBudgetMessage").setBudgetMessage(text);
    return this;
  }

  /** Leave out what the chat template has no switch or word for, instead of an error. Default false. */
  public Prompt reasoningLenient(boolean value) {
    reasoning("reasoningLenient").setLenient(value);
    return this;
  }

  /** Further variables for the chat template, as a JSON object. */
  public Prompt templateKwargs(String json) {
    chat("templateKwargs").setTemplateKwargsJson(json);
    return this;
  }

  /** Whether the answer goes on with the last message, which is the assistant's. Default false. */
  public Prompt continueFinalMessage(boolean value) {
    chat("continueFinalMessage").setContinueFinalMessage(value);
    return this;
  }

  /** Whether the opening of an assistant's turn is put behind the messages. Default true. */
  public Prompt addGenerationPrompt(boolean value) {
    chat("addGenerationPrompt").setAddGenerationPrompt(value);
    return this;
  }

  /** Whether reasoning, content and tool calls are told apart; otherwise the text is what the model wrote. */
  public Prompt parseOutput(boolean value) {
    isParsingChosen = true;
    request.getOutputBuilder().setParseOutput(value);
    return this;
  }

  /** Where reasoning goes if they are. Parses the output, as {@link #tools}. */
  public Prompt reasoningFormat(ReasoningFormat format) {
    request.getOutputBuilder().setReasoningFormat(format);
    return parsed();
  }

  @Override
  Prompt self() {
    return this;
  }

  /** Tells the parts of the answer apart, unless the caller has decided about that. */
  Prompt parsed() {
    if (!isParsingChosen) {
      request.getOutputBuilder().setParseOutput(true);
    }
    return this;
  }

  private Constraint.Builder onlyConstraint(String name) {
    var constraint = request.getConstraintBuilder();
    if (constraint.getKindCase() != Constraint.KindCase.KIND_NOT_SET) {
      String other = constraint.getKindCase().name().toLowerCase(java.util.Locale.ROOT);
      throw new IllegalStateException(name + ": there is " + other + " already; allowed is one constraint");
    }
    return constraint;
  }

  private ChatPrompt.Builder chat(String name) {
    if (!request.hasChat()) {
      throw new IllegalStateException(name + ": is for conversations only; the prompt is " + request.getPromptCase());
    }
    return request.getChatBuilder();
  }

  private ToolPolicy.Builder policy(String name) {
    return chat(name).getToolPolicyBuilder();
  }

  private ReasoningOptions.Builder reasoning(String name) {
    return chat(name).getReasoningBuilder();
  }

  private static PromptParts message(Part... parts) {
    return PromptParts.newBuilder().addAllParts(Arrays.stream(parts).map(part -> part.message).toList()).build();
  }
}
