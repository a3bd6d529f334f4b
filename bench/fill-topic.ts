import { once } from 'node:events';
import kafkajs from 'kafkajs';
import { createTopic, topicIsReady } from '../scripts/stack/kafka-admin.ts';
import { spawnWithLifeline } from '../scripts/stack/lifeline.ts';
import { makeTempDir } from '../scripts/stack/temp-dir.ts';
import { waitFor } from '../scripts/stack/wait-for.ts';
import type { Contender } from './contender.ts';
import type { Input } from './input.ts';
import { type ProcessCost, processCost } from './process-cost.ts';
import type { RunResult } from './report.ts';

export const PARTITIONS = 6;
const RUN_TIMEOUT_MS = 300_000;
const LOOK_MS = 50;

/**
 * One run of one contender: from its start to the moment at which a new topic holds every line of the input.
 * @throws Error when it ends early, or when there are more records than lines
 */
export async function fillTopic(
  contender: Contender,
  input: Input,
  topic: string,
  bootstrap: readonly string[],
): Promise<RunResult> {
  await createTopic(bootstrap, topic, { partitions: PARTITIONS });
  await waitFor(() => topicIsReady(bootstrap, topic, PARTITIONS), {
    timeoutMs: 30_000,
    what: `leaders of ${topic}`,
  });
  const admin = new kafkajs.Kafka({ brokers: [...bootstrap], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const directory = await makeTempDir('skald-bench-');
  try {
    const { command, args } = await contender.prepare({
      file: input.file,
      topic,
      bootstrap,
      directory: directory.path,
    });
    const startMs = performance.now();
    const { child, release } = spawnWithLifeline(command, args, { stdio: ['ignore', 'ignore', 2] });
    let cost: ProcessCost | undefined;
    const count = async (): Promise<number> => {
      // Taken at each look, because a contender may end by itself as soon as it is done.
      cost = await processCost(child.pid!).catch(() => cost);
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets.reduce((sum, { high }) => sum + Number(high), 0);
    };
    try {
      const full = {
        timeoutMs: RUN_TIMEOUT_MS,
        intervalMs: LOOK_MS,
        what: `${input.lines} records of ${contender.name} in Kafka`,
      };
      const records = await waitFor(async () => {
        const seen = await count();
        if (seen < input.lines && child.exitCode !== null && child.exitCode !== 0) {
          throw new Error(`${contender.name} ended with exit code ${child.exitCode}`);
        }
        return seen >= input.lines && seen;
      }, full);
      if (records > input.lines)
        throw new Error(`${contender.name}: ${records} records of ${input.lines} lines`);
      const wallSeconds = (performance.now() - startMs) / 1000;
      return { ...cost!, wallSeconds, records };
    } finally {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      release();
    }
  } finally {
    await admin.disconnect();
    await directory.remove();
  }
}
