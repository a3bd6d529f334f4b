// The command behind `npm run demo`.
import { messageOf } from '../../shared/errors.ts';
import { StackError } from '../stack/stack-error.ts';
import { DemoError, UsageError } from './demo-error.ts';
import { HELP, parseOptions } from './options.ts';
import { runDemo } from './demo.ts';
import { createScreen } from './screen.ts';

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** The shell's convention: 128 + the number of the signal. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** The terminal and npm both pass a Ctrl-C on: what comes so close together is one. */
const ONE_CTRL_C_MS = 500;

/** Ends the run from outside; `exitCode` is what the process leaves with. */
class Interrupted extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

async function main(): Promise<number> {
  // The SDK announces on every start that it will want a newer Node one day; among the demo's lines that is noise.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const interrupt = new AbortController();
  let interruptedAt = 0;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (!interrupt.signal.aborted) {
        interruptedAt = performance.now();
        interrupt.abort(new Interrupted(exitCode));
      } else if (performance.now() - interruptedAt > ONE_CTRL_C_MS) {
        // Whoever asks twice does not want to wait. All that was started notices the end of this process and ends itself.
        process.exit(exitCode);
      }
    });
  }
  // Whoever read the output has gone, as with `| head`.
  process.stdout.on('error', () => interrupt.abort(new Interrupted(SIGNALS.SIGHUP)));
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options === undefined) {
      process.stdout.write(HELP);
      return EXIT.ok;
    }
    const exactlyOnce = await runDemo(options, createScreen(process.stdout), interrupt.signal);
    return exactlyOnce ? EXIT.ok : EXIT.failed;
  } catch (error) {
    const { signal } = interrupt;
    if (signal.reason instanceof Interrupted) return signal.reason.exitCode;
    const isForPeople = error instanceof DemoError || error instanceof StackError;
    process.stderr.write(
      `demo: ${isForPeople || !(error instanceof Error) ? messageOf(error) : error.stack}\n`,
    );
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

// The stack may still be on its way up when the run was interrupted; nobody waits for it.
process.exit(await main());
