/**
 * After a power cut the journal may lack intents whose batches were sent. They are in the topic all the same, with their
 * provenance: what they hold of the files is found there and passed over, and only the rest is read and sent.
 */
import { bufferView } from '../../shared/codec/views.ts';
import type { ProvenanceRange } from '../../shared/wire/provenance.ts';
import { messageOf } from '../../shared/errors.ts';
import { crc32c } from '../../shared/wire/crc32c.ts';
import type { JobSegment } from '../batch/encode-batches.ts';
import type { Journal } from '../checkpoint/journal.ts';
import { type FileState, fileNumber } from '../checkpoint/entries.ts';
import type { OpenFile } from '../discover/file-system.ts';
import { readRange } from '../checkpoint/rebuild.ts';
import { isBatchOf, type OwnBatch, ownBatches } from './own-batches.ts';
import { patiently, PATIENCE_MS } from './open-batches.ts';
import type { ReadBackOptions } from './read-back.ts';
import { readBudget, readForward } from './read-forward.ts';
import type { ReplaceReason } from './reidentify.ts';
import type { TopicView } from './topic-view.ts';

export interface LostIntentsOptions extends ReadBackOptions {
  host: string;
  pipeline: string;
  reopen(fileId: string): Promise<OpenFile | undefined>;
  /** `records` are in the topic twice now. */
  onReplaced(why: ReplaceReason, records: number, lostBytes: number): void;
  /**
   * What ends a line in the files' bytes. Undefined with framings whose records cannot be told from their end, and with
   * keys, where a range has several batches: there only open intents are looked for, and what no intent is there for
   * goes again.
   */
  delimiter: Uint8Array | undefined;
  /** The rest of a line may be passed over behind a range that ends inside of it: it is too long, and is cut or dropped. */
  skipsRests: boolean;
  /** Sends lines of a file as batches of their own. False when the publisher stops first. */
  sendLines(segment: JobSegment): Promise<boolean>;
}

/** A hole between delivered ranges is held in memory while it is sent; it is part of what was in flight once. */
const MAX_HOLE_BYTES = 64 * 1024 * 1024;

/** Looks through all partitions, closes the journal's gap, and leaves each file's offset behind what was delivered. */
export async function findLostIntents(view: TopicView, options: LostIntentsOptions): Promise<void> {
  const { journal, logger, signal } = options;
  const { gap } = journal.state;
  if (gap === undefined) return;
  logger.info(
    { partitions: view.partitions.length, sinceMs: journal.state.lastMs },
    'the journal may lack what was sent last, because the machine went down or the file was damaged; looking for it in the topic',
  );
  const batches = await ownBatchesOf(view, options);
  if (signal.aborted) return;
  commitFound(batches, journal);
  // A batch that has some records of its ranges does not show that the others are there.
  const keyed = batches.filter(({ slot }) => slot !== undefined);
  const whole = batches.filter(({ slot }) => slot === undefined);
  let passedBytes = 0;
  const untilMs = options.clock.monotonicMs() + PATIENCE_MS;
  for (const file of journal.state.files.values()) {
    const rangesIn = (some: readonly OwnBatch[]): ProvenanceRange[] =>
      some.flatMap((batch) => batch.ranges.filter((range) => isOf(range, file, gap.nextFile)));
    sayTwice(rangesIn(keyed), options);
    try {
      passedBytes += await patiently(() => passOver(file, rangesIn(whole), options), untilMs, options);
    } catch (error) {
      sayTwice(rangesIn(whole), options);
      options.log.warn(
        `lost intents of ${file.id}`,
        { path: file.path, offset: file.offset, err: error },
        `cannot read a file to pass over what the topic has of it: ${messageOf(error)}. Those lines may come twice`,
      );
    }
    if (signal.aborted) return;
  }
  logger.info({ batches: batches.length, passedBytes }, 'looked for what the journal may lack');
  journal.closeGap();
  await journal.flush();
}

async function ownBatchesOf(view: TopicView, options: LostIntentsOptions): Promise<OwnBatch[]> {
  const { journal, host, pipeline } = options;
  const own = ownBatches({ host, pipeline }, options.decompress);
  const budget = readBudget();
  const batches: OwnBatch[] = [];
  for (const { partition } of view.partitions) {
    const hint = journal.state.reached.get(partition);
    const { shortfall } = await readForward({
      ...options,
      partition,
      sinceMs: journal.state.lastMs,
      hint: hint && {
        offset: hint.offset,
        isThere: (header) =>
          header.producerId === hint.producerId && header.baseSequence === hint.baseSequence,
      },
      readTo: undefined,
      onBatch: async (bytes, header) => {
        const batch = await own(partition, bytes, header);
        if (batch !== undefined) batches.push(batch);
        return false;
      },
      budget,
    });
    if (options.signal.aborted) break;
    if (shortfall !== undefined) {
      options.log.warn(
        `lost intents ${shortfall}`,
        { partition, reason: shortfall },
        `cannot look through the partition for what the journal may lack: ${shortfall}. Lines that are there may come twice`,
      );
    }
  }
  return batches;
}

function commitFound(batches: readonly OwnBatch[], journal: Journal): void {
  // Of a map, what is deleted while it is walked is not visited again, and the rest is.
  for (const intent of journal.state.open.values()) {
    const found = batches.find((batch) => batch.partition === intent.partition && isBatchOf(intent, batch));
    if (found !== undefined) journal.append({ t: 'commit', n: intent.n, offset: found.offset });
  }
}

/** A file that the journal does not know has another number now; the content decides whether it is the one. */
function isOf({ fileId, end }: ProvenanceRange, file: FileState, firstNew: number): boolean {
  if (end <= file.offset) return false;
  if (fileId === file.id) return true;
  return fileId.startsWith(`${file.key}-`) && Math.min(fileNumber(fileId), fileNumber(file.id)) >= firstNew;
}

function sayTwice(ranges: readonly ProvenanceRange[], options: LostIntentsOptions): void {
  const records = ranges.reduce((total, range) => total + range.records, 0);
  if (records > 0) options.onReplaced('lost-intents', records, 0);
}

/** Moves the file's offset behind the delivered ranges that follow it; sends what lies between them. Returns their bytes. */
async function passOver(
  file: FileState,
  ranges: readonly ProvenanceRange[],
  options: LostIntentsOptions,
): Promise<number> {
  if (ranges.length === 0) return 0;
  if (options.delimiter === undefined) {
    sayTwice(ranges, options);
    return 0;
  }
  const handle = await options.reopen(file.id);
  if (handle === undefined) return 0;
  try {
    const { sizeBytes } = await handle.stat();
    const delivered = await stillThere(handle, ranges, sizeBytes, options);
    let passedBytes = 0;
    for (const { start, end } of delivered) {
      if (end <= file.offset) continue;
      if (start < file.offset) break; // cut in another way: the journal knows better
      if (start > file.offset && !(await sendHole(handle, file, start, options))) break;
      options.journal.append({ t: 'skip', id: file.id, to: end, skipping: false });
      passedBytes += end - start;
    }
    return passedBytes;
  } finally {
    await handle.close();
  }
}

/** The ranges whose bytes are in the file as they were, in order, up to the last one behind which a record begins. */
async function stillThere(
  handle: OpenFile,
  ranges: readonly ProvenanceRange[],
  sizeBytes: number,
  { delimiter, skipsRests }: LostIntentsOptions,
): Promise<ProvenanceRange[]> {
  const delivered: ProvenanceRange[] = [];
  let whole = 0;
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const bytes = await readRange(handle, range.start, range.end);
    if (bytes === undefined || crc32c(bytes) !== range.crc32c) continue;
    // A range that begins where the one before it ended shows that nothing was passed over between them.
    if (delivered.at(-1)?.end === range.start) whole = delivered.length;
    delivered.push(range);
    // Else nobody knows whether the rest of a line has to be passed over; unless there is no rest.
    if (!skipsRests || endsWith(bytes, delimiter) || range.end === sizeBytes) whole = delivered.length;
  }
  return delivered.slice(0, whole);
}

function endsWith(bytes: Uint8Array, delimiter: Uint8Array | undefined): boolean {
  return delimiter !== undefined && bufferView(bytes).subarray(-delimiter.length).equals(delimiter);
}

/** What was read before and never arrived: it goes first, cut where it was cut then. */
async function sendHole(
  handle: OpenFile,
  file: FileState,
  end: number,
  options: LostIntentsOptions,
): Promise<boolean> {
  const start = file.offset;
  if (end - start > MAX_HOLE_BYTES) return false;
  const bytes = await readRange(handle, start, end);
  if (bytes === undefined) return false;
  // The rest of a line that was passed over comes first.
  const from = file.skipping ? endOfLine(bytes, options.delimiter!) : 0;
  if (from === bytes.length) return true;
  const terminated = endsWith(bytes, options.delimiter);
  const segment = { bytes, start: from, end: bytes.length, terminated, skipRest: false };
  return options.sendLines({ ...segment, fileId: file.id, fileOffset: start + from });
}

function endOfLine(bytes: Uint8Array, delimiter: Uint8Array): number {
  const at = bufferView(bytes).indexOf(delimiter);
  return at === -1 ? bytes.length : at + delimiter.length;
}
