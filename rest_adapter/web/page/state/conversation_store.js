/**
 * Where conversations are kept: IndexedDB, one record for each, and memory for what cannot be written there.
 *
 * The files of their pictures have records of their own: a conversation is written every second while an answer comes.
 */

import { openDB } from "../../vendor/idb.js";
import { addNote } from "./notes.js";
import { picturesOf } from "./pictures.js";

const DATABASE = "slotline";
const RECORDS = "conversations";
const FILES = "pictures";
const NO_DATABASE = "Conversations are kept only until this page is closed: the browser offers no storage for them.";
const NOT_WRITTEN =
  "The conversation could not be stored; the browser's storage may be full. It is kept until this page is closed.";
const FILES_NOT_WRITTEN =
  "The browser's storage has no room for these pictures. Once this page is closed, only small copies of them are left.";
const NOT_READ = "The stored conversations cannot be read.";
const NOT_REMOVED = "The conversation could not be deleted.";

/** @typedef {import("./messages.js").Conversation} Conversation */

/** The conversations of this browser; every change is one transaction, so that tabs do not undo each other's. */
export class ConversationStore {
  #opening = null;
  // What could not be written; it goes before what the database holds.
  #unwritten = new Map();
  // Files of pictures that are not written: no message has them yet, or there was no room.
  #held = new Map();
  #withoutRoom = new Set();

  /**
   * Take the file of a picture. It is written together with the conversation that has the picture, and goes with it.
   *
   * @param {string} id of the picture
   * @param {string} address a data URL
   */
  hold(id, address) {
    this.#held.set(id, address);
  }

  /**
   * @param {string} id of a picture
   * @returns {Promise<string|undefined>} its file as a data URL; undefined if it could not be kept
   */
  async original(id) {
    return this.#held.get(id) ?? (await this.#use(NOT_READ, (database) => database.get(FILES, id)))?.address;
  }

  /**
   * @param {string} id
   * @returns {Promise<Conversation|undefined>}
   */
  async get(id) {
    const stored = await this.#use(NOT_READ, (database) => database.get(RECORDS, id));
    return this.#unwritten.get(id) ?? stored;
  }

  /**
   * Call `visit` with every conversation, one after the other, so that they are not all in memory.
   *
   * @param {(conversation: Conversation) => void} visit
   */
  async each(visit) {
    await this.#use(NOT_READ, async (database) => {
      let cursor = await database.transaction(RECORDS).store.openCursor();
      while (cursor) {
        if (!this.#unwritten.has(cursor.value.id)) {
          visit(cursor.value);
        }
        cursor = await cursor.continue();
      }
    });
    this.#unwritten.forEach((conversation) => visit(conversation));
  }

  /**
   * Change a conversation, or add one.
   *
   * @param {string} id
   * @param {(stored: Conversation|undefined) => Conversation|null} update makes the new one of what is stored now; null
   *   leaves it as it is
   * @param {Conversation} [known] stands for what is stored where nothing can be read
   * @returns {Promise<Conversation|null>} what `update` made
   */
  async change(id, update, known) {
    let next;
    const makeNext = (stored) => (next = update(this.#unwritten.get(id) ?? stored));
    let outcome = await this.#write(id, makeNext);
    if (outcome?.failed) {
      addNote("error", FILES_NOT_WRITTEN, String(outcome.failed));
      outcome.files.forEach((picture) => this.#withoutRoom.add(picture));
      outcome = await this.#write(id, makeNext);
    }
    if (outcome) {
      if (next) {
        this.#unwritten.delete(id);
        outcome.files.forEach((written) => this.#held.delete(written));
      }
      return next;
    }
    next ??= update(this.#unwritten.get(id) ?? known);
    if (next) {
      this.#unwritten.set(id, next);
    }
    return next;
  }

  /** @param {string} id */
  async remove(id) {
    picturesOf(this.#unwritten.get(id)).forEach((picture) => this.#held.delete(picture.id));
    this.#unwritten.delete(id);
    await this.#use(NOT_REMOVED, async (database) => {
      const transaction = database.transaction([RECORDS, FILES], "readwrite");
      const records = transaction.objectStore(RECORDS);
      const pictures = picturesOf(await records.get(id));
      await Promise.all([records.delete(id), ...this.#dropFiles(transaction, pictures), transaction.done]);
    });
  }

  /**
   * One transaction that changes a conversation, and the files of the pictures that come and go with that.
   *
   * @returns {Promise<undefined|{files: string[], failed: Error|null}>} the pictures whose files were written, or why
   *   nothing was, perhaps for want of room for them; undefined if nothing can be
   */
  #write(id, makeNext) {
    return this.#use(NOT_WRITTEN, async (database) => {
      const transaction = database.transaction([RECORDS, FILES], "readwrite");
      // Each failure below shows here as well.
      transaction.done.catch(() => {});
      const records = transaction.objectStore(RECORDS);
      const stored = await records.get(id);
      const next = makeNext(stored);
      const known = new Set(picturesOf(next ?? stored).map((picture) => picture.id));
      const files = [...known].filter((picture) => this.#held.has(picture) && !this.#withoutRoom.has(picture));
      const gone = picturesOf(stored).filter((picture) => !known.has(picture.id));
      try {
        await Promise.all([
          next && records.put(next),
          ...files.map((picture) => this.#putFile(transaction, picture)),
          ...this.#dropFiles(transaction, gone),
          transaction.done,
        ]);
      } catch (error) {
        // What fails for want of room need not say so: requests that wait are told that they were broken off.
        if (files.length > 0 && error instanceof DOMException) {
          await abort(transaction);
          return { files, failed: error };
        }
        throw error;
      }
      return { files, failed: null };
    });
  }

  // What fails at once fails as what fails later does.
  async #putFile(transaction, id) {
    return transaction.objectStore(FILES).put({ id, address: this.#held.get(id) });
  }

  #dropFiles(transaction, pictures) {
    return pictures.map(({ id }) => {
      this.#held.delete(id);
      return transaction.objectStore(FILES).delete(id);
    });
  }

  /** What the action gives; undefined, with this note, if the database does not let it. */
  async #use(note, action) {
    for (let attempt = 1; ; attempt++) {
      const database = await this.#open();
      if (!database) {
        return undefined;
      }
      try {
        return await action(database);
      } catch (error) {
        // Browsers close the connection of a page that slept, or whose storage was cleared.
        if (error?.name === "InvalidStateError" && attempt === 1) {
          this.#opening = null;
          continue;
        }
        if (!(error instanceof DOMException)) {
          throw error;
        }
        addNote("error", note, String(error));
        return undefined;
      }
    }
  }

  #open() {
    this.#opening ??= this.#openDatabase();
    return this.#opening;
  }

  async #openDatabase() {
    try {
      const database = await openDB(DATABASE, 2, {
        upgrade,
        // A newer page in another tab waits for this; the next use opens again.
        blocking: () => {
          this.#opening = null;
          database.close();
        },
        terminated: () => (this.#opening = null),
      });
      return database;
    } catch (error) {
      addNote("info", NO_DATABASE, String(error));
      return null;
    }
  }
}

/** Nothing of it is written; it may have come to that by itself. */
async function abort(transaction) {
  try {
    transaction.abort();
  } catch {
    // It has.
  }
  await transaction.done.catch(() => {});
}

/** The first version had conversations only, and images, which no model could see then, as data URLs in them. */
async function upgrade(database, oldVersion, _, transaction) {
  if (oldVersion < 1) {
    database.createObjectStore(RECORDS, { keyPath: "id" });
  }
  const files = database.createObjectStore(FILES, { keyPath: "id" });
  let cursor = await transaction.objectStore(RECORDS).openCursor();
  while (cursor) {
    const { messages, ...others } = cursor.value;
    if (messages.some(({ images }) => images.length > 0)) {
      const moved = messages.map(({ images, id, ...rest }) => ({
        ...rest,
        id,
        images: images.map((address, i) => ({ id: `${id}-${i}`, name: `Image ${i + 1}`, thumbnail: address })),
      }));
      for (const { id, thumbnail } of moved.flatMap(({ images }) => images)) {
        await files.put({ id, address: thumbnail });
      }
      await cursor.update({ ...others, messages: moved });
    }
    cursor = await cursor.continue();
  }
}
