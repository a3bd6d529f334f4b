/** Knows the batches of one pipeline of one host among all that a partition holds, by their provenance. */
import { type decompressRecords, findProvenance } from '../../shared/wire/decode-records.ts';
import type { Provenance, ProvenanceRange } from '../../shared/wire/provenance.ts';
import { type BatchHeader, verifyBatch } from '../../shared/wire/record-batch.ts';
import { walkRecords } from '../../shared/wire/walk-records.ts';
import type { Intent, IntentRange } from '../checkpoint/entries.ts';
import { sequenceDistance } from '../checkpoint/sequence.ts';

export interface OwnBatch {
  partition: number;
  offset: number;
  producerId: bigint;
  baseSequence: number;
  records: number;
  /** The partition that the keys of its records stand for. */
  slot: number | undefined;
  ranges: ProvenanceRange[];
}

/** Whose batches are looked for: those of certain producers, or all of one pipeline of one host. */
export type Sought = { producerIds: ReadonlySet<bigint> } | { host: string; pipeline: string };

/** The largest batch of a pipeline, unpacked: batchBytes has a limit, and a record is little more than its line. */
export const MAX_UNPACKED_BYTES = 1024 ** 3;

/** Unpacks a batch; an argument, because it is work of other threads, during which a simulation must hold its clock. */
export type Decompress = typeof decompressRecords;

async function provenanceOf(
  bytes: Uint8Array,
  header: BatchHeader,
  decompress: Decompress,
): Promise<Provenance | undefined> {
  verifyBatch(bytes, header);
  const section = await decompress(bytes, header, MAX_UNPACKED_BYTES);
  let found: Provenance | undefined;
  let first = true;
  walkRecords(section, header, (_offset, _time, _key, _keyEnd, _value, _valueEnd, from, to) => {
    if (first) found = findProvenance(section, from, to);
    first = false;
  });
  return found;
}

/**
 * Returns a function that tells own batches from others. A batch of another producer is known by its header: a producer
 * id belongs to one pipeline of one host, so only the first batch of each is unpacked.
 */
export function ownBatches(
  sought: Sought,
  decompress: Decompress,
): (partition: number, bytes: Uint8Array, header: BatchHeader) => Promise<OwnBatch | undefined> {
  const foreign = new Set<bigint>();

  return async (partition, bytes, header) => {
    const { producerId, baseSequence, recordCount: records, baseOffset: offset } = header;
    if (header.isControl || producerId === -1n || records === 0 || foreign.has(producerId)) return undefined;
    if ('producerIds' in sought && !sought.producerIds.has(producerId)) return undefined;
    const provenance = await provenanceOf(bytes, header, decompress);
    const own =
      provenance !== undefined &&
      ('producerIds' in sought ||
        (provenance.host === sought.host && provenance.pipeline === sought.pipeline));
    if (!own) {
      foreign.add(producerId);
      return undefined;
    }
    const { slot, ranges } = provenance;
    return { partition, offset, producerId, baseSequence, records, slot, ranges };
  };
}

function isSameRange(range: IntentRange, other: ProvenanceRange): boolean {
  return (
    range.file === other.fileId &&
    range.start === other.start &&
    range.end === other.end &&
    range.crc32c === other.crc32c
  );
}

/** Whether `found` is the batch of `intent`: the same bytes of the same files, under whatever identity. */
export function isBatchOf(intent: Intent, found: OwnBatch): boolean {
  return (
    intent.records === found.records &&
    intent.ranges.length === found.ranges.length &&
    holdsAllOf(intent, found)
  );
}

/** Whether `found` has every line of `intent`, which may be what is left of the batch that was found. */
export function holdsAllOf(intent: Intent, found: OwnBatch): boolean {
  return (
    intent.keying?.slot === found.slot &&
    intent.records <= found.records &&
    rangesOutside(intent, found).length === 0
  );
}

/** The ranges of `intent` that `found` does not have. */
export function rangesOutside(intent: Intent, found: OwnBatch): Intent['ranges'] {
  const isThere = isInPlaceOf(intent, found) ? isWithin : isSameRange;
  return intent.ranges.filter((range) => !found.ranges.some((other) => isThere(range, other)));
}

/** Whether `intent` fills a part of the place that `found` has in the sequence: it was to go instead of that batch. */
function isInPlaceOf({ producerId, baseSequence, records }: Intent, found: OwnBatch): boolean {
  if (producerId !== found.producerId) return false;
  const behind = sequenceDistance(found.baseSequence, baseSequence);
  return behind + records <= found.records;
}

/** A part has no checksum in the provenance of the whole. */
function isWithin(range: IntentRange, other: ProvenanceRange): boolean {
  if (range.start === other.start && range.end === other.end) return isSameRange(range, other);
  return range.file === other.fileId && range.start >= other.start && range.end <= other.end;
}
