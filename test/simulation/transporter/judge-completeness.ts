/** What `_SUCCESS` promises, judged against what the world produced and what its store holds. */
import { z } from 'zod';
import { crc32c, crc32cBase64 } from '../../../shared/wire/crc32c.ts';
import type { ProducedRecord } from './sim-log.ts';
import type { SimStore } from './sim-store.ts';

/** Of all workers of a simulation. */
export const GRACE_MS = 5000;

const HOUR_MS = 3_600_000;

const successSchema = z.object({
  topic: z.string(),
  start: z.string(),
  end: z.string(),
  records: z.number(),
  objects: z.array(
    z.object({
      key: z.string(),
      bytes: z.number(),
      records: z.number(),
      firstOffset: z.number(),
      lastOffset: z.number(),
      crc32c: z.string(),
    }),
  ),
});

const markerSchema = z.object({ object: z.string() });

/** The finished hours of a world: names of `_SUCCESS` objects. */
export function successNames(store: Pick<SimStore, 'stored'>): string[] {
  return [...store.stored.keys()].filter((name) => name.endsWith('/_SUCCESS'));
}

/** In words; empty when every `_SUCCESS` and every marker is true, and what `_SUCCESS` does not list is marked as late. */
export function completenessProblems(
  produced: readonly ProducedRecord[],
  store: SimStore,
  deleted: ReadonlySet<string>,
): string[] {
  const kept = produced.filter(({ text }) => !deleted.has(text));
  const ofBuckets = successNames(store).flatMap((name) => {
    const [, day, hour] = /dt=(.*)\/hr=(.*)\/_SUCCESS$/.exec(name)!;
    const startMs = Date.parse(`${day}T${hour}:00:00Z`);
    const folder = name.slice(0, -'_SUCCESS'.length);
    const success = successSchema.parse(JSON.parse(store.stored.get(name)!.content.toString()));
    const problems = [
      ...missingProblems(startMs, store.stored.get(name)!.storedAtMs, kept, store),
      ...listProblems(success, store),
      ...unlistedProblems(folder, success, store),
    ];
    if (success.start !== new Date(startMs).toISOString())
      problems.push(`says that it starts at ${success.start}`);
    if (success.end !== new Date(startMs + HOUR_MS).toISOString())
      problems.push(`says that it ends at ${success.end}`);
    return problems.map((problem) => `${name} ${problem}`);
  });
  return [...ofBuckets, ...markerProblems(store, deleted)];
}

/**
 * When everything is stored, a marker names an object of its own chunk; or one that is not there, when Kafka has deleted
 * all of its records after the marker was stored.
 */
function markerProblems({ stored }: SimStore, deleted: ReadonlySet<string>): string[] {
  return [...stored].flatMap(([name, { content, metadata }]) => {
    if (!/\/_(LATE|QUARANTINE)-[^/]*$/.test(name)) return [];
    const { object } = markerSchema.parse(JSON.parse(content.toString()));
    const named = stored.get(object);
    if (named === undefined && deleted.size > 0) return [];
    if (named?.metadata['skald-chunk'] === metadata['skald-chunk']) return [];
    return [`${name} names ${object}, which ${named === undefined ? 'is not there' : 'is of another chunk'}`];
  });
}

/** Whatever was in the log when the grace of the hour was over must have been stored before. */
function missingProblems(
  startMs: number,
  writtenAtMs: number,
  produced: readonly ProducedRecord[],
  store: SimStore,
): string[] {
  const endMs = startMs + HOUR_MS;
  if (writtenAtMs < endMs + GRACE_MS) return [`was written ${endMs + GRACE_MS - writtenAtMs} ms too early`];
  const storedBefore = new Set(
    [...store.objects]
      .filter(([object]) => store.stored.get(object)!.storedAtMs <= writtenAtMs)
      .flatMap(([, values]) => values),
  );
  const missing = produced.filter(
    ({ text, timestampMs, appendedAtMs }) =>
      timestampMs >= startMs &&
      timestampMs < endMs &&
      appendedAtMs < endMs + GRACE_MS &&
      !storedBefore.has(text),
  );
  return missing.length === 0
    ? []
    : [`was written before ${missing.length} records, first ${missing[0]!.text}`];
}

function listProblems({ objects, records }: z.output<typeof successSchema>, store: SimStore): string[] {
  const problems: string[] = [];
  let sum = 0;
  for (const listed of objects) {
    const { content } = store.stored.get(listed.key) ?? {};
    const values = store.objects.get(listed.key);
    if (content === undefined || values === undefined) {
      problems.push(`lists ${listed.key}, which is not there`);
      continue;
    }
    sum += values.length;
    const found = { bytes: content.length, records: values.length, crc32c: crc32cBase64(crc32c(content)) };
    const { bytes, records: count, crc32c: checksum } = listed;
    const said = JSON.stringify({ bytes, records: count, crc32c: checksum });
    if (said !== JSON.stringify(found))
      problems.push(`says of ${listed.key} ${said} and not ${JSON.stringify(found)}`);
  }
  if (sum !== records) problems.push(`counts ${records} records and lists ${sum}`);
  return problems;
}

/** Every object that came after the list was made has a marker beside it. */
function unlistedProblems(
  folder: string,
  { objects }: z.output<typeof successSchema>,
  { objects: all, stored }: SimStore,
): string[] {
  const listed = new Set(objects.map(({ key }) => key));
  const unlisted = [...all.keys()].filter((name) => name.startsWith(folder) && !listed.has(name));
  const silent = unlisted.filter((name) => {
    const [place] = /^\d+-\d+/.exec(name.slice(folder.length))!;
    return ![...stored.keys()].some((other) => other.startsWith(`${folder}_LATE-${place}`));
  });
  return silent.map((name) => `does not list ${name}, and nothing says that it is late`);
}
