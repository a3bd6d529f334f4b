import type { Clock } from '../../shared/clock.ts';
import type { ChunkConfig } from '../../shared/config/objects-config.ts';
import type { FetchedPartition } from '../../shared/kafka/requests/fetch.ts';
import { type DecodedRange, JOB_BYTES, nothingDecoded, piecesOf } from '../decode/decode-range.ts';
import type { Decoder } from '../decode/decoder.ts';
import type { Growth } from '../decode/growth.ts';
import { bucketFinder } from '../decode/time-bucket.ts';
import type { LeaderEpochs } from '../fetch/leader-epochs.ts';
import { takeBatches } from '../fetch/take-batches.ts';
import type { MemoryAccount } from '../memory-budget.ts';
import { type ChunkFacts, MAX_BUCKETS } from './cut-policy.ts';
import type { LogPartition } from './chunk-id.ts';
import type { Layout } from './layout.ts';
import { type Chunk, openChunk, type OpenChunk } from './open-chunk.ts';

/** Turns answers of the broker into chunks: collects, decodes in order, appends. */
export interface Gatherer {
  /** The offset to fetch next. */
  readonly position: number;
  /** The open chunk is [chunkStart, decodedTo) now. */
  readonly chunkStart: number;
  readonly decodedTo: number;
  /** Fetched bytes that are not decoded yet. */
  readonly undecodedBytes: number;
  /** Damaged bytes were thrown away, or something else is hard to believe, and is fetched once more. */
  readonly isSecondLook: boolean;
  /** Of the open chunk and what will go into it; undefined while there is nothing. */
  readonly facts: ChunkFacts | undefined;
  /**
   * No record in it is of a later leader than that of `leaderEpoch`.
   * @throws SkaldError WIRE_CORRUPT, see takeBatches
   */
  take(answer: FetchedPartition, leaderEpoch?: number): void;
  /** Goes on at a later offset: the records between are gone from the broker. */
  skipTo(offset: number): void;
  /** Resolves when what was taken until now is decoded. Rejects when decoding itself broke down. */
  flush(): Promise<void>;
  /** The open chunk as far as it is decoded; the next one begins where it ends. */
  cut(): Chunk;
}

export interface GathererOptions {
  partition: LogPartition;
  start: number;
  /** Exclusive; for a replay. */
  end?: number;
  layout: Layout;
  limits: ChunkConfig;
  /** Told of each leader that wrote what was taken. */
  epochs: Pick<LeaderEpochs, 'note'>;
  decoder: Decoder;
  account: MemoryAccount;
  growth: Growth;
  clock: Clock;
  /** Called when something was decoded or thrown away. */
  onProgress: () => void;
  onDecoded: (range: DecodedRange) => void;
}

export function createGatherer(options: GathererOptions): Gatherer {
  const { partition, layout, limits, decoder, account, growth, clock } = options;
  const { topic, partition: number } = partition;
  const findBucket = bucketFinder(layout.bucket, layout.timeZone);
  let chunk: OpenChunk = openChunk(partition, options.start, layout);
  let position = options.start;
  /** Taken and not yet given to the decoder: offsets [waitingFrom, position). */
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  /** What the waiting bytes are expected to become. */
  let waitingPromise = 0;
  let waitingFrom = options.start;
  let decodingBytes = 0;
  let openedAtMs = Infinity;
  let bucketEndMs = Infinity;
  /** Decoded ranges are appended one after the other, whichever is ready first. */
  let appended: Promise<void> = Promise.resolve();
  /** Jobs of an earlier look are forgotten. */
  let look = 0;
  /** Base offsets of batches that could not be decoded at the first look. */
  const suspects = new Set<number>();
  /** Answers in which a batch behind the end came next. No checksum covers its offset, so it is believed when it comes again. */
  let looksPastEnd = 0;
  /** The last answer was not taken: its batches contradict each other, and no checksum covers their offsets. */
  let isInDoubt = false;

  const startJob = (): void => {
    if (waitingFrom === position) return;
    const range = { fromOffset: waitingFrom, toOffset: position };
    const job = {
      topic,
      partition: number,
      ...range,
      recordSets: waiting,
      maxBuckets: MAX_BUCKETS + 1,
      layout,
    };
    const bytes = waitingBytes;
    const promised = waitingPromise;
    const myLook = look;
    waiting = [];
    waitingBytes = 0;
    waitingPromise = 0;
    waitingFrom = position;
    decodingBytes += bytes;
    const decoded: Promise<DecodedRange> =
      job.recordSets.length === 0 ? Promise.resolve(nothingDecoded(job.toOffset)) : decoder.decode(job);
    decoded.catch(() => {}); // it is looked at in its turn
    const inTurn = async (before: Promise<void>): Promise<void> => {
      await before;
      const range = await decoded;
      decodingBytes -= bytes;
      account.add(-bytes);
      account.promise(-promised);
      growth.note(bytes, bytesOf(range));
      if (myLook === look) append(range, job);
      options.onProgress();
    };
    appended = inTurn(appended);
    appended.catch(() => options.onProgress()); // whoever flushes gets the error
  };

  const append = (range: DecodedRange, job: { fromOffset: number; toOffset: number }): void => {
    const isNew = range.undecodable.some(({ baseOffset }) => !suspects.has(baseOffset));
    for (const { baseOffset } of range.undecodable) suspects.add(baseOffset);
    if (isNew) {
      // The wire or one replica may be to blame: fetch once more, and believe it when it comes again.
      restartAt(job.fromOffset);
      return;
    }
    const { endOffset } = range;
    for (const offset of suspects) if (offset < endOffset) suspects.delete(offset);
    chunk.append(range);
    account.add(bytesOf(range));
    options.onDecoded(range);
    // With so many buckets the chunk is cut; its successor fetches the rest again.
    if (endOffset < job.toOffset) restartAt(endOffset);
  };

  const restartAt = (offset: number): void => {
    look += 1;
    account.add(-waitingBytes);
    account.promise(-waitingPromise);
    waiting = [];
    waitingBytes = 0;
    waitingPromise = 0;
    waitingFrom = offset;
    position = offset;
  };

  /**
   * Records of this bucket may still come during its grace. A chunk of the next one is cut then too: what follows
   * must not keep the bucket from being finished.
   */
  const noteOpened = (): void => {
    openedAtMs = clock.monotonicMs();
    bucketEndMs = findBucket(clock.nowMs() - limits.bucketGraceMs).endMs;
  };

  const take = (answer: FetchedPartition, leaderEpoch = Infinity): void => {
    const taken = takeBatches(answer, position, options.end);
    isInDoubt = taken.isInDoubt && !isInDoubt;
    if (isInDoubt) return;
    // No checksum covers them: -1 and what cannot be is not asked about.
    for (const start of taken.epochs)
      if (start.epoch >= 0 && start.epoch <= leaderEpoch) options.epochs.note(start);
    if (taken.isPastEnd) looksPastEnd += 1;
    const nextOffset = looksPastEnd > 1 ? options.end! : taken.nextOffset;
    if (nextOffset === position) return;
    if (openedAtMs === Infinity) noteOpened();
    for (const { bytes, endOffset } of taken.pieces) {
      waiting.push(bytes);
      waitingBytes += bytes.length;
      account.add(bytes.length);
      const promised = growth.of(bytes.length);
      waitingPromise += promised;
      account.promise(promised);
      position = endOffset;
      if (waitingBytes >= JOB_BYTES) startJob();
    }
    position = nextOffset;
  };

  return {
    get position() {
      return position;
    },
    get chunkStart() {
      return chunk.start;
    },
    get decodedTo() {
      return chunk.end;
    },
    get undecodedBytes() {
      return waitingBytes + decodingBytes;
    },
    get isSecondLook() {
      return suspects.size > 0 || looksPastEnd === 1 || isInDoubt;
    },
    get facts() {
      if (position === chunk.start) return undefined;
      const bytes = chunk.textBytes + waitingBytes + decodingBytes;
      return { bytes, buckets: chunk.buckets, openedAtMs, bucketEndMs };
    },
    take,
    skipTo: (offset) => {
      startJob();
      if (openedAtMs === Infinity) noteOpened();
      position = offset;
      startJob(); // of the gap: the batch that comes next may begin in it, with records that are deleted
    },
    flush: () => {
      startJob();
      return appended;
    },
    cut: () => {
      const gatheredBytes = chunk.objectBytes;
      const closed = chunk.close();
      account.add(closed.objectBytes - gatheredBytes); // what holds an object's pieces together
      chunk = openChunk(partition, closed.end, layout);
      if (position === closed.end) openedAtMs = Infinity;
      else noteOpened(); // what is on its way into the next chunk was taken a moment ago
      return closed;
    },
  };
}

function bytesOf(range: DecodedRange): number {
  return piecesOf(range).reduce((sum, { bytes }) => sum + bytes.length, 0);
}
