import { readFile } from 'node:fs/promises';
import { expect, it, onTestFinished } from 'vitest';
import { findFreePorts } from '../../scripts/stack/ports.ts';
import { startSkald } from '../support/run-skald.ts';
import { reply, startS3FaultProxy } from '../support/s3-fault-proxy.ts';
import { freshPrefix, sharedStack } from '../support/shared-stack.ts';
import { tempDir } from '../support/temp-dir.ts';
import { uniqueName } from '../support/unique-name.ts';
import { waitFor } from '../support/wait-for.ts';
import { skewedTopic } from '../integration/transporter/skewed-topic.ts';
import { transporterFile } from '../integration/transporter/transporter-files.ts';

const PARTITIONS = 2000;
const MEMORY_MIB = 512;
/** Text that a worker could not hold if it tried to. */
const LEAST_TEXT_BYTES = 256e6;
const PATIENCE_MS = 240_000;
/** Readings of a counter that are the same mean that nothing comes any more. */
const STILL_READINGS = 8;
const STORED_BYTES = 128e6;
const LEAST_OBJECT_BYTES = 1e6;

/** Sum over the labels of a metric, as it stands in a scrape. */
function sumOf(scrape: string, name: string, label = ''): number {
  return scrape
    .split('\n')
    .filter((line) => /^[{ ]/.test(line.slice(name.length)) && line.startsWith(name) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** The most that the process ever had in memory: VmHWM of proc_pid_status(5). */
async function peakMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

it(`${PARTITIONS} partitions with skewed traffic stay inside ${MEMORY_MIB} MiB of process while the store stands still, and when it goes on`, async () => {
  const { topic, textBytes } = await skewedTopic(PARTITIONS, 64);
  expect(textBytes).toBeGreaterThan(LEAST_TEXT_BYTES);
  const proxy = await startS3FaultProxy(sharedStack().s3.endpoint);
  onTestFinished(() => proxy.close());
  let goOn = (): void => {};
  const goesOn = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  onTestFinished(() => goOn());
  const lift = proxy.strike({
    name: 'stands still',
    matches: ({ method }) => method === 'PUT' || method === 'POST',
    fault: async ({ pass, response }) => {
      await goesOn;
      reply(response, await pass());
    },
  });

  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const port = (await findFreePorts(1))[0]!;
  const { s3 } = sharedStack();
  const file = await transporterFile(directory, 'worker', {
    topic,
    group,
    prefix,
    stack: { ...sharedStack(), s3: { ...s3, endpoint: proxy.endpoint } },
    // Objects take six times what their batches took on the way.
    objects: ['codec: none'],
    chunk: ['maxBytes: 64MiB', 'maxAgeMs: 10m'],
    session: '30s',
    status: `\n  port: ${port}`,
    settings: [`limits: { memoryBytes: ${MEMORY_MIB}MiB, decodeThreads: 2 }`],
  });
  const worker = startSkald(['transporter', '-c', file]);
  const scrape = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined))?.text() ?? '';

  let fetched = 0;
  let still = 0;
  await waitFor(
    async () => {
      const text = await scrape();
      const now = sumOf(text, 'skald_transporter_fetched_bytes_total');
      still = now === fetched ? still + 1 : 0;
      fetched = now;
      const isFull = sumOf(text, 'skald_transporter_chunk_cuts_total', 'reason="pressure"') > 0;
      return isFull && still >= STILL_READINGS;
    },
    { timeoutMs: PATIENCE_MS, intervalMs: 250, what: 'the worker is full and fetches nothing more' },
  );
  expect(await peakMib(worker.pid)).toBeLessThanOrEqual(MEMORY_MIB);

  lift();
  goOn();
  const stored = async (): Promise<number> => sumOf(await scrape(), 'skald_transporter_object_bytes_total');
  await waitFor(async () => (await stored()) >= STORED_BYTES, {
    timeoutMs: PATIENCE_MS,
    intervalMs: 250,
    what: 'more is stored than the worker could hold',
  });
  expect(await peakMib(worker.pid)).toBeLessThanOrEqual(MEMORY_MIB);
  // Cut early, but the largest first: their objects are no crumbs.
  const objects = sumOf(await scrape(), 'skald_transporter_objects_total');
  expect((await stored()) / objects).toBeGreaterThan(LEAST_OBJECT_BYTES);
}, 600_000);
