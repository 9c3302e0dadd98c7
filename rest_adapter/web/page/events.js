/** Server-sent events, read from a body while it comes. */

/**
 * The data of each event. Network chunks may end anywhere, within a character too; an event without its blank line at
 * the end of the body does not count, because it may be cut.
 *
 * @param {ReadableStream<Uint8Array>} body it is cancelled when the reader leaves early
 * @returns {AsyncGenerator<string>}
 */
export async function* readEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const text = line.endsWith("\r") ? line.slice(0, -1) : line;
        if (text !== "") {
          data.push(...dataOf(text));
        } else if (data.length > 0) {
          yield data.join("\n");
          data = [];
        }
      }
    }
  } finally {
    // Closes the connection, unless it has ended; then there is nothing to do.
    await reader.cancel().catch(() => {});
  }
}

function dataOf(line) {
  if (!line.startsWith("data:")) {
    return [];
  }
  return [line.slice(line[5] === " " ? 6 : 5)];
}
