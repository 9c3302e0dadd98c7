// Waiting for what a test is about.

/** Resolves with the signal's value as soon as it fulfils the condition. */
export function becomes(signal, condition) {
  return new Promise((resolve) => {
    let leave = null;
    leave = signal.subscribe((value) => {
      if (condition(value)) {
        resolve(value);
        // The first call comes before there is anything to leave.
        queueMicrotask(() => leave());
      }
    });
  });
}

/** Resolves when the condition holds; it is looked at between the events of the process. */
export async function until(condition) {
  while (!condition()) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
