/** Where conversations are kept: IndexedDB, one record for each, and memory for what cannot be written there. */

import { openDB } from "../../vendor/idb.js";
import { addNote } from "./notes.js";

const DATABASE = "slotline";
const RECORDS = "conversations";
const NO_DATABASE = "Conversations are kept only until this page is closed: the browser offers no storage for them.";
const NOT_WRITTEN =
  "The conversation could not be stored; the browser's storage may be full. It is kept until this page is closed.";
const NOT_READ = "The stored conversations cannot be read.";
const NOT_REMOVED = "The conversation could not be deleted.";

/** @typedef {import("./messages.js").Conversation} Conversation */

/** The conversations of this browser; every change is one transaction, so that tabs do not undo each other's. */
export class ConversationStore {
  #opening = null;
  // What could not be written; it goes before what the database holds.
  #unwritten = new Map();

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
    const isDone = await this.#use(NOT_WRITTEN, async (database) => {
      const transaction = database.transaction(RECORDS, "readwrite");
      // Each failure below shows here as well.
      transaction.done.catch(() => {});
      next = update(this.#unwritten.get(id) ?? (await transaction.store.get(id)));
      await Promise.all([next && transaction.store.put(next), transaction.done]);
      return true;
    });
    if (isDone) {
      if (next) {
        this.#unwritten.delete(id);
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
    this.#unwritten.delete(id);
    await this.#use(NOT_REMOVED, (database) => database.delete(RECORDS, id));
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
      const database = await openDB(DATABASE, 1, {
        upgrade: (created) => void created.createObjectStore(RECORDS, { keyPath: "id" }),
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
