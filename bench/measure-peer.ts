import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import type { LocalStack } from '../scripts/stack/stack.ts';
import { type Fill, fillTopic } from './fill-topic.ts';
import type { Input } from './input.ts';
import { isSame } from './line-digest.ts';
import { cpuSecondsOf } from './process-cost.ts';
import { readTopic } from './read-topic.ts';
import type { RunResult } from './report.ts';

/**
 * One run of one peer and what it cost the brokers, its topic read back and removed.
 * @throws Error when the topic does not hold exactly the lines of the input
 */
export async function measurePeer(
  fill: Omit<Fill, 'bootstrap' | 'input'> & { input: Input },
  stack: Pick<LocalStack, 'bootstrap' | 'brokers' | 'dataDir'>,
): Promise<RunResult> {
  const { topic, input, peer } = fill;
  const { bootstrap } = stack;
  const pids = stack.brokers.map(({ pid }) => pid);
  const before = await cpuSecondsOf(pids);
  const cost = await fillTopic({ ...fill, bootstrap });
  const serverCpuSeconds = (await cpuSecondsOf(pids)) - before;
  const storedBytes = await replicaBytes(topic, stack.dataDir);
  const found = await readTopic(topic, input.lines, bootstrap);
  if (!isSame(found, input.digest)) {
    const told = `${found.lines} lines of ${found.bytes} bytes`;
    throw new Error(
      `${peer.name}: the topic's lines are not the file's: ${told}, ${input.lines} lines were sent`,
    );
  }
  await deleteTopic(topic, bootstrap);
  return { ...cost, serverCpuSeconds, storedBytes, records: found.lines };
}

/** What the first broker has of a topic on its disk: all partitions, because each broker has a replica of each. */
async function replicaBytes(topic: string, dataDir: string): Promise<number> {
  const logDir = join(dataDir, 'broker-1', 'data');
  const entries = await readdir(logDir, { recursive: true });
  const isSegment = new RegExp(`^${topic}-\\d+/\\d+\\.log$`);
  const segments = entries.filter((entry) => isSegment.test(entry));
  const sizes = await Promise.all(segments.map(async (entry) => (await stat(join(logDir, entry))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function deleteTopic(topic: string, bootstrap: readonly string[]): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [...bootstrap], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
}
