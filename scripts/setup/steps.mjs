/** A failure whose message alone tells the user what to do; printed without a stack trace. */
export class SetupError extends Error {}

const SLOW_MS = 1000;

/** One line for each step with the time it took. Quiet: only lines of steps that do something worth waiting for. */
export function createSteps({ quiet, write = (text) => process.stdout.write(text) }) {
  const done = (what, startedAt) =>
    write(`setup: ${what} ... ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`);

  return {
    note: (text) => write(`setup: ${text}\n`),

    skip(what) {
      if (!quiet) write(`setup: ${what}\n`);
    },

    /** A step that acts. Says so before it begins, since it may take a while. */
    async run(what, action) {
      const startedAt = Date.now();
      write(`setup: ${what}\n`);
      const result = await action();
      done(what, startedAt);
      return result;
    },

    /** A step that runs every time and is short as a rule; quiet runs hear of it only when it was not short. */
    async quietly(what, action) {
      const startedAt = Date.now();
      const result = await action();
      if (!quiet || Date.now() - startedAt > SLOW_MS) done(what, startedAt);
      return result;
    },
  };
}
