import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { createTopic, topicIsReady } from '../scripts/stack/kafka-admin.ts';
import { spawnWithLifeline } from '../scripts/stack/lifeline.ts';
import { makeTempDir } from '../scripts/stack/temp-dir.ts';
import { waitFor } from '../scripts/stack/wait-for.ts';
import type { Input } from './input.ts';
import type { Peer, PeerCodec } from './peer.ts';
import { endedChildrenCpuSeconds, type ProcessCost, processCost, sessionCost } from './process-cost.ts';

export const PARTITIONS = 6;
const RUN_TIMEOUT_MS = 900_000;
const LOOK_MS = 50;

export interface FillResult extends ProcessCost {
  wallSeconds: number;
}

export interface Fill {
  peer: Pick<Peer, 'name' | 'prepare'>;
  codec: PeerCodec;
  input: Pick<Input, 'file' | 'lines'>;
  /** Made here. */
  topic: string;
  bootstrap: readonly string[];
  /** Called some twenty times a second with the records that are in the topic. */
  onRecords?: (records: number) => void;
  /** Called when every line is there and the program still runs. */
  onDone?: (pid: number) => Promise<void>;
  /** It is killed at the end, unless it is given time to end at SIGTERM. */
  graceMs?: number;
  partitions?: number;
}

/**
 * One run of one peer: from its start to the moment at which a new topic holds every line of the input, acknowledged by all
 * replicas. Its CPU is that of the process and its children up to then.
 * @throws Error when it ends early, or when there are more records than lines
 */
export async function fillTopic({
  peer,
  codec,
  input,
  topic,
  bootstrap,
  onRecords,
  onDone,
  graceMs = 0,
  partitions = PARTITIONS,
}: Fill): Promise<FillResult> {
  await createTopic(bootstrap, topic, { partitions });
  await waitFor(() => topicIsReady(bootstrap, topic, partitions), {
    timeoutMs: 60_000,
    what: `leaders of ${topic}`,
  });
  const admin = new kafkajs.Kafka({ brokers: [...bootstrap], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const directory = await makeTempDir('skald-bench-');
  try {
    const job = { file: input.file, topic, bootstrap, codec, directory: directory.path };
    const { command, args } = await peer.prepare(job);
    const endedBefore = await endedChildrenCpuSeconds();
    const startMs = performance.now();
    const { child, release } = spawnWithLifeline(command, args, { stdio: ['ignore', 'ignore', 2] });
    const exited = once(child, 'exit');
    const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    let peakMemoryBytes = 0;
    const look = async (): Promise<{ records: number; hasFailed: boolean }> => {
      const cost = await processCost(child.pid!).catch(() => undefined); // it may just have ended
      peakMemoryBytes = Math.max(peakMemoryBytes, cost?.peakMemoryBytes ?? 0);
      const hadEnded = hasEnded();
      const offsets = await admin.fetchTopicOffsets(topic);
      const records = offsets.reduce((sum, { high }) => sum + Number(high), 0);
      onRecords?.(records);
      return { records, hasFailed: hadEnded && records < input.lines };
    };
    try {
      const looks = { timeoutMs: RUN_TIMEOUT_MS, intervalMs: LOOK_MS };
      // One that ended early ends the wait, too: an error in a look would only be a look that failed.
      const { records, hasFailed } = await waitFor(
        async () => {
          const seen = await look();
          return (seen.records >= input.lines || seen.hasFailed) && seen;
        },
        { ...looks, what: `${input.lines} records of ${peer.name} in Kafka` },
      );
      if (hasFailed) {
        const why = child.signalCode ?? `exit code ${child.exitCode}`;
        throw new Error(`${peer.name} ended (${why}) with ${records} of ${input.lines} lines in Kafka`);
      }
      const wallSeconds = (performance.now() - startMs) / 1000;
      if (records > input.lines) throw new Error(`${peer.name}: ${records} records of ${input.lines} lines`);
      const running = await sessionCost(child.pid!);
      if (!hasEnded()) await onDone?.(child.pid!);
      const cpuSeconds = hasEnded() ? (await endedChildrenCpuSeconds()) - endedBefore : running.cpuSeconds;
      return { cpuSeconds, wallSeconds, peakMemoryBytes: Math.max(peakMemoryBytes, running.peakMemoryBytes) };
    } finally {
      if (graceMs > 0 && !hasEnded()) {
        child.kill('SIGTERM');
        await Promise.race([exited, delay(graceMs, undefined, { ref: false })]);
      }
      if (!hasEnded()) {
        process.kill(-child.pid!, 'SIGKILL'); // its whole session; nothing of its state is used again
        await exited;
      }
      release();
    }
  } finally {
    await admin.disconnect();
    await directory.remove();
  }
}
