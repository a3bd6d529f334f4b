// The process behind `npm run stack -- start`: holds the stack in the background until it is told to stop. Reports its
// progress to the command that started it, over the channel that comes with fork.
//
//   node holder.js <run directory> <port offset>
import { messageOf } from '../../shared/errors.ts';
import { fixedPorts } from './fixed-ports.ts';
import { identityOf } from './process-identity.ts';
import { claimRunState, removeRunState, runDir, updateRunState } from './run-state.ts';
import { StackError } from './stack-error.ts';
import { startStack } from './stack.ts';
import type { LocalStack } from './stack.ts';

export type HolderMessage =
  { kind: 'progress'; line: string } | { kind: 'ready' } | { kind: 'failed'; message: string };

const [directory, portOffset] = process.argv.slice(2);
const run = runDir(directory);
const me = identityOf(process.pid)!;
let stack: LocalStack | undefined;

function report(message: HolderMessage): void {
  if (process.connected) process.send?.(message);
}

/** Before it is ready there is nothing to stop in order: the parts of a stack end with their parent. */
async function end(exitCode: number): Promise<never> {
  await stack?.stop();
  removeRunState(run, me);
  process.exit(exitCode);
}

async function hold(): Promise<void> {
  const starting = { version: 1, holder: me, startedAt: new Date().toISOString() } as const;
  if (!claimRunState(run, starting))
    throw new StackError('another local stack is there, or is being started');
  stack = await startStack({
    ports: fixedPorts(Number(portOffset)),
    dataDir: run.dataDir,
    onProgress: (line) => report({ kind: 'progress', line }),
  });
  const { bootstrap, brokers, s3, s3Pid } = stack;
  updateRunState(run, { ...starting, ready: { bootstrap, brokers, s3, s3Pid } });
  report({ kind: 'ready' });
  process.off('disconnect', abandon);
}

/** Whoever asked for the stack has gone before it was there. */
function abandon(): void {
  void end(1);
}

process.once('disconnect', abandon);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end(0));
hold().catch(async (error: unknown) => {
  const isExpected = error instanceof StackError;
  report({
    kind: 'failed',
    message: isExpected || !(error instanceof Error) ? messageOf(error) : String(error.stack),
  });
  await end(1);
});
