import { join } from 'node:path';
import { expect, it } from 'vitest';
import { drainTopic } from '../../bench/drain-topic.ts';
import { fillTopic } from '../../bench/fill-topic.ts';
import { generateInput } from '../../bench/input.ts';
import type { PeerJob } from '../../bench/peer.ts';
import { prepareAgent } from '../../bench/peers/skald.ts';
import type { Sink } from '../../bench/sink.ts';
import { kafkajsSink } from '../../bench/sinks/kafkajs.ts';
import { skaldSink } from '../../bench/sinks/skald.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { tempDir } from '../support/temp-dir.ts';
import { uniqueName } from '../support/unique-name.ts';

const INPUT_BYTES = 100e6;
/** What limits.memoryBytes is when nothing else is said. */
const MEMORY_BYTES = 512 * 1024 ** 2;
const CHUNK_BYTES = 16 * 1024 ** 2;
/** `npm run bench -- transporter` measures 0.20; over so few bytes the compiler's work counts, and noise. */
const MOST_SHARE = 0.4;

const peer = {
  name: 'skald agent',
  prepare: (job: PeerJob) => prepareAgent(job, { pipeline: { partitioner: { type: 'round-robin' } } }),
};

it('a byte costs a worker much less than it costs kafkajs with gzip and puts, and every record is stored', async () => {
  const directory = await tempDir();
  const fill = { peer, codec: 'zstd', bootstrap: sharedStack().bootstrap } as const;
  const [whole, little] = [uniqueName('whole'), uniqueName('little')];
  const input = await generateInput(join(directory, 'whole.log'), INPUT_BYTES, 1);
  await fillTopic({ ...fill, input, topic: whole });
  const few = await generateInput(join(directory, 'little.log'), 1, 1);
  await fillTopic({ ...fill, input: few, topic: little });

  /** Without the start, which a worker does once. Rejects when a record is missing or doubled. */
  const cpuSecondsOf = async (sink: Sink): Promise<number> => {
    const run = async (topic: string, records: number): Promise<number> =>
      (await drainTopic(sink, { topic, records, run: uniqueName('cost') }, sharedStack())).cpuSeconds;
    const start = await run(little, few.lines);
    return (await run(whole, input.lines)) - start;
  };
  const ours = await cpuSecondsOf(skaldSink('skald', {}, { maxBytes: CHUNK_BYTES }));
  const theirs = await cpuSecondsOf(kafkajsSink({ level: 6, chunkBytes: CHUNK_BYTES }));
  expect(ours / theirs).toBeLessThan(MOST_SHARE);
}, 300_000);

it('a worker that finds a full topic, and stores it uncompressed, stays inside its memory', async () => {
  const topic = uniqueName('full');
  const input = await generateInput(join(await tempDir(), 'full.log'), 4 * INPUT_BYTES, 1);
  await fillTopic({ peer, codec: 'zstd', bootstrap: sharedStack().bootstrap, input, topic });
  const sink = skaldSink('skald', { codec: 'none' }, { maxBytes: CHUNK_BYTES });
  const drained = await drainTopic(
    sink,
    { topic, records: input.lines, run: uniqueName('full') },
    sharedStack(),
  );
  expect(drained.peakMemoryBytes).toBeLessThan(MEMORY_BYTES);
}, 300_000);
