import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import type { Random } from '../../../shared/clock.ts';
import { SkaldError } from '../../../shared/errors.ts';
import type { ObjectStore } from '../../../transporter/store/object-store.ts';
import type { SimNetwork } from './sim-network.ts';
import type { WorkerLife } from './worker-life.ts';

const refusedSchema = z.union([
  z.object({ valueBase64: z.base64() }),
  z.object({ offset: z.number(), batchBase64: z.base64() }),
]);
const envelopeSchema = z.object({ value: z.string() });

/** The values of records out of the lines that their format makes of them. */
function valuesOf(name: string, lines: string[]): string[] {
  if (!name.includes('.jsonl')) return lines;
  return lines.map((line) => {
    const json: unknown = JSON.parse(line);
    if (!name.includes('/quarantine/')) return envelopeSchema.parse(json).value;
    const refused = refusedSchema.parse(json);
    if ('batchBase64' in refused) return `the batch at ${refused.offset}`;
    return Buffer.from(refused.valueBase64, 'base64').toString();
  });
}

export interface SimStore {
  /** By name: the values of the records of each object. */
  readonly objects: ReadonlyMap<string, string[]>;
  /** Objects that were overwritten with other records: what the intent exists to prevent. */
  readonly violations: string[];
  /** Objects that were overwritten with the same records. */
  readonly overwrites: number;
  /** Share of puts that fail, before or after their effect. */
  failures: number;
  client(life: WorkerLife): ObjectStore;
}

export function simStore({ network, random }: { network: SimNetwork; random: Random }): SimStore {
  const objects = new Map<string, string[]>();
  const violations: string[] = [];
  let overwrites = 0;

  const write = (name: string, content: Buffer): void => {
    const text = (name.endsWith('.gz') ? gunzipSync(content) : content).toString();
    const lines = valuesOf(name, text.split('\n').slice(0, -1));
    const before = objects.get(name);
    if (before !== undefined) overwrites += 1;
    if (before !== undefined && before.join('\n') !== lines.join('\n')) {
      violations.push(`${name} had ${before.length} records and was overwritten with ${lines.length}`);
    }
    objects.set(name, lines);
  };

  const store: SimStore = {
    objects,
    violations,
    get overwrites() {
      return overwrites;
    },
    failures: 0,
    client: (life) => ({
      location: 'memory',
      check: () => Promise.resolve(),
      put: (name, parts, { signal }) => {
        signal.throwIfAborted();
        const content = Buffer.concat(parts);
        const fate = random();
        return network.call(life, 'put', () => {
          if (fate < store.failures / 2) throw new SkaldError('STORE_FAILED', 'simulated, before the effect');
          write(name, content);
          if (fate < store.failures) throw new SkaldError('STORE_FAILED', 'simulated, after the effect');
        });
      },
      abortUnfinished: () => network.call(life, 'abortUnfinished', () => {}),
      close: () => Promise.resolve(),
    }),
  };
  return store;
}
