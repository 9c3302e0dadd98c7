/** The request that asks for an answer: as a chat, or as a text where the user has a prompt template of his own. */

import { streamChat, streamCompletion } from "../api.js";
import { readOriginals } from "./conversations.js";
import { conversationFields, pictureOfField } from "./messages.js";
import { addNote } from "./notes.js";
import { requestFields } from "./options.js";
import { clearRefusals, picturesOf, refusePicture } from "./pictures.js";
import { model } from "./server.js";
import { answerSchema, schemaRefusal, schemaText } from "./schema.js";
import { renderPrompt, stopTexts } from "./template.js";
import { toolFields, toolsOn, toolsRefusal, toolsText } from "./tools.js";

const SMALL_COPIES_SENT =
  "The browser could not keep all pictures of this conversation. Small copies were sent in their place.";

/**
 * @typedef {object} Asking
 * @property {(body: object, options: {signal: AbortSignal}) => AsyncGenerator<any>} stream sends the body
 * @property {object} body
 * @property {(answer: import("./answer.js").Answer, event: any) => void} take puts an event into the answer
 * @property {(error: Error) => Error} refuse takes a failure, to be shown at the fields that it is about; gives it in
 *   words of the page
 */

/**
 * How to ask for the answer at a place. If that has a text already, more of it is asked for.
 *
 * @param {import("./messages.js").Conversation} conversation
 * @param {number} at
 * @param {import("./template.js").Template} template one that can be used, if it is on
 * @param {boolean} truncates whether the oldest part of what does not fit is left out, instead of refused
 * @returns {Promise<Asking>}
 */
export async function askingFor(conversation, at, template, truncates) {
  return template.isOn ? asCompletion(conversation, at, template, truncates) : asChat(conversation, at, truncates);
}

async function asChat(conversation, at, truncates) {
  const files = await filesOf(conversation);
  const asked = conversationFields(conversation, at, files);
  const refuse = refusing();
  return {
    stream: streamChat,
    body: {
      ...asked,
      ...requestFields({ isChat: true }),
      ...schemaField(answerSchema()),
      ...toolFields(asked.messages),
      // What the model thinks comes apart from its answer.
      reasoning_format: "auto",
      stream_options: { include_usage: true },
      // Left to the server otherwise: it may be set up to leave something out, and says how much.
      ...(truncates && { truncate: true }),
    },
    take: (answer, chunk) => answer.takeChat(chunk),
    refuse: (error) => {
      const picture = pictureOfField(conversation, at, files, error.field ?? "");
      return picture ? refusePicture(picture, error) : refuse(error);
    },
  };
}

/** The field of a chat's request that makes answers obey a schema. */
function schemaField(schema) {
  return schema ? { response_format: { type: "json_schema", json_schema: { name: "answer", schema } } } : {};
}

/** Keeps what is refused with the texts that were sent: they may be others by then. */
function refusing() {
  const [schema, tools] = [schemaText.peek(), toolsText.peek()];
  return (error) => {
    schemaRefusal.take(error, schema);
    toolsRefusal.take(error, tools);
    return error;
  };
}

async function asCompletion(conversation, at, template, truncates) {
  const files = await filesOf(conversation);
  if (toolsOn.peek()) {
    addNote("info", "A prompt template cannot hold tools. They were left out.");
  }
  const schema = answerSchema();
  const asked = { ...conversation, messages: conversation.messages.slice(0, at + 1) };
  const pictures = picturesOf(asked).filter(({ id }) => files.has(id));
  const prompt = renderPrompt(template, withMarkers(asked, pictures));
  const refuse = refusing();
  const fields = requestFields();
  const stop = [...new Set([...(fields.stop ?? []), ...stopTexts(template)])];
  return {
    stream: streamCompletion,
    // There, what does not fit is left out unless it is said otherwise.
    body: {
      ...fields,
      ...(schema && { json_schema: schema }),
      prompt,
      ...imageData(pictures, files),
      stop,
      truncate: truncates,
    },
    take: (answer, event) => answer.takeCompletion(event),
    refuse: (error) => {
      const [, place] = /^image_data\[(\d+)\]/.exec(error.field ?? "") ?? [];
      return place in pictures ? refusePicture(pictures[place], error) : refuse(error);
    },
  };
}

/** The conversation with a marker for each picture, before the text of its message. */
function withMarkers(conversation, pictures) {
  const places = new Map(pictures.map(({ id }, place) => [id, place]));
  const messages = conversation.messages.map((message) => {
    const markers = message.images.filter(({ id }) => places.has(id)).map(({ id }) => `[img-${places.get(id)}]`);
    return { ...message, content: markers.join("") + message.content };
  });
  return { ...conversation, messages };
}

/** The field with the files that the markers stand for. */
function imageData(pictures, files) {
  const entries = pictures.map(({ id }, place) => ({ id: place, data: files.get(id).split(",")[1] }));
  return entries.length > 0 ? { image_data: entries } : {};
}

/** The files of a conversation's pictures, by their ids; none if the model takes no pictures. */
async function filesOf(conversation) {
  const pictures = picturesOf(conversation);
  if (pictures.length === 0) {
    return new Map();
  }
  if (model.peek()?.canSee !== true) {
    addNote("info", "This model cannot see images. They were left out.");
    return new Map();
  }
  clearRefusals(pictures);
  const files = await readOriginals(pictures);
  const lost = pictures.filter(({ id }) => !files.has(id));
  if (lost.length > 0) {
    addNote("info", SMALL_COPIES_SENT);
    lost.filter(({ thumbnail }) => thumbnail).forEach(({ id, thumbnail }) => files.set(id, thumbnail));
  }
  return files;
}
