import { z } from 'zod';
import { findFreePorts } from '../../../scripts/stack/ports.ts';
import { startSkald } from '../../support/run-skald.ts';
import { freshPrefix } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { isCarried, readS3Objects, type TransporterFile, transporterFile } from './transporter-files.ts';

const envelopeSchema = z.object({
  offset: z.number(),
  key: z.string().nullable(),
  value: z.string().nullable(),
});

/** What a worker makes of a topic of one partition, as `jsonl`, when it has carried all of it. */
export async function carryAll(topic: string, options: Partial<TransporterFile> = {}) {
  const carrying = await startCarrying(topic, options);
  await carrying.isDone();
  return { metrics: await carrying.metrics(), ...(await carrying.stored()) };
}

export async function startCarrying(topic: string, options: Partial<TransporterFile> = {}) {
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const port = (await findFreePorts(1))[0]!;
  const file = { topic, group, prefix, objects: ['format: jsonl'], status: `\n  port: ${port}`, ...options };
  startSkald(['transporter', '-c', await transporterFile(directory, 'worker', file)]);
  return {
    isDone: (): Promise<unknown> =>
      waitFor(() => isCarried(group, topic, options.stack?.bootstrap), {
        timeoutMs: 90_000,
        what: 'everything is committed',
      }),
    metrics: async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    stored: async () => storedRecords(await readS3Objects(prefix)),
  };
}

function storedRecords(objects: ReadonlyMap<string, string[]>) {
  const linesOf = (isQuarantine: boolean): unknown[] =>
    [...objects]
      .filter(([name]) => name.includes('quarantine/') === isQuarantine)
      .flatMap(([, lines]) => lines.map((line): unknown => JSON.parse(line)));
  const starts = [...objects.keys()].map((name) => Number(/\d+-(\d+)\.jsonl/.exec(name)![1]));
  return {
    records: z
      .array(envelopeSchema)
      .parse(linesOf(false))
      .toSorted((a, b) => a.offset - b.offset),
    quarantined: linesOf(true),
    /** The offsets at which chunks begin that have records, in order. */
    chunkStarts: [...new Set(starts)].toSorted((a, b) => a - b),
  };
}
