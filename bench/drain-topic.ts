import { once } from 'node:events';
import { join } from 'node:path';
import { spawnWithLifeline } from '../scripts/stack/lifeline.ts';
import type { LocalStack } from '../scripts/stack/stack.ts';
import { makeTempDir } from '../scripts/stack/temp-dir.ts';
import { waitFor } from '../scripts/stack/wait-for.ts';
import { countRecords } from './count-records.ts';
import { endedChildrenCpuSeconds, type ProcessCost, processCost } from './process-cost.ts';
import type { Sink } from './sink.ts';

export interface DrainResult extends ProcessCost {
  wallSeconds: number;
  /** What was found in the objects, counted independently of the sink. */
  records: number;
  objects: number;
  objectBytes: number;
}

const RUN_TIMEOUT_MS = 300_000;
const LOOK_MS = 50;

/**
 * One run of one sink: from its start to its end, with every record of the topic stored.
 * @throws Error when it fails, or when there are not exactly `records` records in its objects
 */
export async function drainTopic(
  sink: Sink,
  { topic, records, run }: { topic: string; records: number; run: string },
  stack: Pick<LocalStack, 'bootstrap' | 's3' | 'objectsDir'>,
): Promise<DrainResult> {
  const { bootstrap, s3, objectsDir } = stack;
  const directory = await makeTempDir('skald-bench-');
  try {
    const job = { topic, group: run, prefix: run, bootstrap, s3, directory: directory.path };
    const { command, args, takenRecords, exitCode = 0, folder } = await sink.prepare(job);
    const cpuBefore = await endedChildrenCpuSeconds();
    const startMs = performance.now();
    const { child, release } = spawnWithLifeline(command, args, { stdio: ['ignore', 'ignore', 2] });
    const exited = once(child, 'exit');
    const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    let peakMemoryBytes = 0;
    let isTold = false;
    const look = async (): Promise<boolean> => {
      const cost = await processCost(child.pid!).catch(() => undefined); // it may just have ended
      peakMemoryBytes = Math.max(peakMemoryBytes, cost?.peakMemoryBytes ?? 0);
      if (!isTold && takenRecords !== undefined && (await takenRecords()) >= records) {
        isTold = true;
        child.kill('SIGTERM');
      }
      return hasEnded();
    };
    try {
      await waitFor(look, { timeoutMs: RUN_TIMEOUT_MS, intervalMs: LOOK_MS, what: `${sink.name} to end` });
    } finally {
      if (!hasEnded()) child.kill('SIGKILL');
      await exited;
      release();
    }
    if (child.exitCode !== exitCode) throw new Error(`${sink.name} ended with exit code ${child.exitCode}`);
    const wallSeconds = (performance.now() - startMs) / 1000;
    const cpuSeconds = (await endedChildrenCpuSeconds()) - cpuBefore;
    const stored = await countRecords(folder ?? join(objectsDir, s3.bucket, run));
    if (stored.records !== records)
      throw new Error(`${sink.name}: ${stored.records} records stored of ${records}`);
    return { cpuSeconds, wallSeconds, peakMemoryBytes, ...stored };
  } finally {
    await directory.remove();
  }
}
