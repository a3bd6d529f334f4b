import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import type { Clock, Random } from '../../../shared/clock.ts';
import { SkaldError } from '../../../shared/errors.ts';
import type { Listing, ObjectMetadata, ObjectStore } from '../../../transporter/store/object-store.ts';
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

export interface StoredObject {
  content: Buffer;
  metadata: ObjectMetadata;
  /** By the world's clock. */
  storedAtMs: number;
}

export interface SimStore {
  /** By name: the values of the records of each object. */
  readonly objects: ReadonlyMap<string, string[]>;
  /** By name: all that is stored, also what holds no records. */
  readonly stored: ReadonlyMap<string, StoredObject>;
  /** Objects that were made twice, and not of the same records less what Kafka had deleted: what the intent exists to prevent. */
  readonly violations: string[];
  /** Puts under a name that an object has already. */
  readonly refusedPuts: number;
  /** Share of puts that fail, before or after their effect. */
  failures: number;
  client(life: WorkerLife): ObjectStore;
}

export function simStore(options: { network: SimNetwork; random: Random; clock: Clock }): SimStore {
  const { network, random, clock } = options;
  const objects = new Map<string, string[]>();
  const stored = new Map<string, StoredObject>();
  const violations: string[] = [];
  let refusedPuts = 0;

  /** As with `If-None-Match: *`: what is there stays. */
  const write = (name: string, content: Buffer, metadata: ObjectMetadata): ObjectMetadata | undefined => {
    const found = stored.get(name)?.metadata;
    if (found === undefined) stored.set(name, { content, metadata, storedAtMs: clock.nowMs() });
    if (/\/_[^/]*$/.test(name)) return found; // a marker has no records
    const text = (name.endsWith('.gz') ? gunzipSync(content) : content).toString();
    const values = valuesOf(name, text.split('\n').slice(0, -1));
    const before = objects.get(name);
    if (before !== undefined) {
      refusedPuts += 1;
      const [fewer, more] = before.length < values.length ? [before, values] : [values, before];
      if (found?.['skald-chunk'] === metadata['skald-chunk'] && fewer.some((value) => !more.includes(value)))
        violations.push(`${name} was made twice of different records`);
      return found;
    }
    objects.set(name, values);
    return undefined;
  };

  const list = (folder: string): Listing => {
    const below = [...stored].filter(([name]) => name.startsWith(folder));
    const inside = below.map(([key, { content }]) => ({
      key,
      rest: key.slice(folder.length),
      bytes: content.length,
    }));
    const direct = inside.filter(({ rest }) => !rest.includes('/'));
    const deeper = inside.filter(({ rest }) => rest.includes('/'));
    return {
      objects: direct.map(({ key, bytes }) => ({ key, bytes })),
      folders: [...new Set(deeper.map(({ rest }) => rest.slice(0, rest.indexOf('/'))))],
    };
  };

  const store: SimStore = {
    objects,
    stored,
    violations,
    get refusedPuts() {
      return refusedPuts;
    },
    failures: 0,
    client: (life) => ({
      location: 'memory',
      check: () => Promise.resolve(),
      put: (name, parts, { signal, metadata }) => {
        signal.throwIfAborted();
        const content = Buffer.concat(parts);
        const fate = random();
        return network.call(life, 'put', () => {
          if (fate < store.failures / 2) throw new SkaldError('STORE_FAILED', 'simulated, before the effect');
          const taken = write(name, content, metadata);
          if (fate < store.failures) throw new SkaldError('STORE_FAILED', 'simulated, after the effect');
          return taken;
        });
      },
      describe: (name) => network.call(life, 'describe', () => stored.get(name)?.metadata),
      list: (folder) => network.call(life, 'list', () => list(folder)),
      abortUnfinished: () => network.call(life, 'abortUnfinished', () => {}),
      close: () => Promise.resolve(),
    }),
  };
  return store;
}
