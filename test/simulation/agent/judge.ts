/** The one simple model: the multiset of lines written, and their order within a file and partition. */
import type { Content } from '../support/sim-inode.ts';
import type { World } from './world.ts';

export interface Verdict {
  /** Lines that no excuse covers, by name and file. */
  missing: string[];
  /** More often than written. */
  doubled: string[];
  /** Records that are no line and no part of one that may be cut. */
  strange: string[];
  disordered: string[];
  /** Bytes that are missing, of which the agent can know, and that it did not count as lost. */
  uncountedBytes: number;
  /** Bytes that it counted as truncated beyond those that are missing. */
  overcountedBytes: number;
  /** Bytes that were counted as lost although nothing was truncated or out of reach. */
  wronglyCountedBytes: number;
}

interface Line {
  content: Content;
  /** Behind a hole. */
  start: number;
  hasHole: boolean;
  /** Behind its newline. */
  end: number;
  bytes: Buffer;
  terminated: boolean;
}

const NEWLINE = 0x0a;
const NAME = /^([A-Za-z]+\d*)\.(\d+) /;

/** Bytes as text with one character for each, so that any bytes can be compared and printed. */
function latin1(bytes: Buffer): string {
  return bytes.toString('latin1');
}

function linesOf(content: Content): Line[] {
  const lines: Line[] = [];
  const { buffer, size } = content;
  for (let start = 0; start < size;) {
    const newline = buffer.indexOf(NEWLINE, start);
    const terminated = newline !== -1 && newline < size;
    const end = terminated ? newline + 1 : size;
    const bytes = behindHole(buffer.subarray(start, terminated ? newline : size));
    const begin = end - bytes.length - (terminated ? 1 : 0);
    lines.push({ content, start: begin, hasHole: begin > start, end, terminated, bytes });
    start = end;
  }
  return lines;
}

/** A line as records: pieces of `maxRecordBytes`, also after a cut inside of it. */
function pieces(bytes: Buffer, cuts: readonly number[], maxRecordBytes: number): string[] {
  const records: string[] = [];
  const ends = [...cuts, bytes.length];
  let start = 0;
  for (const end of ends) {
    for (
      let at = start;
      at < end || (at === start && end === bytes.length && start === 0);
      at += maxRecordBytes
    ) {
      records.push(latin1(bytes.subarray(at, Math.min(end, at + maxRecordBytes))));
    }
    start = end;
  }
  return records;
}

/** Takes all of `records` out of the multiset, or none. */
function takeAll(from: Map<string, number>, records: readonly string[]): boolean {
  const taken: string[] = [];
  for (const record of records) {
    const count = from.get(record) ?? 0;
    if (count === 0) {
      for (const back of taken) from.set(back, from.get(back)! + 1);
      return false;
    }
    from.set(record, count - 1);
    taken.push(record);
  }
  return true;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}… (${text.length})` : text);
}

function allSubsets(items: readonly number[]): number[][] {
  return items
    .slice(0, 6)
    .reduce<number[][]>((sets, item) => [...sets, ...sets.map((set) => [...set, item])], [[]]);
}

/** A writer without O_APPEND leaves a hole behind a truncation. Its NULs are nobody's bytes, passed over or not. */
function behindHole(bytes: Buffer): Buffer {
  const hole = bytes.findIndex((byte) => byte !== 0);
  return bytes.subarray(hole === -1 ? bytes.length : hole);
}

/** A line behind a hole that is read as a part of it is cut where a record of NULs is full. */
function takeInTwo(left: Map<string, number>, bytes: Buffer): boolean {
  for (let cut = 1; cut < bytes.length; cut += 1) {
    if (takeAll(left, [latin1(bytes.subarray(0, cut)), latin1(bytes.subarray(cut))])) return true;
  }
  return false;
}

/** Takes what a line may have become out of the multiset; false when it is not there. */
function takeLine(left: Map<string, number>, line: Line, maxRecordBytes: number, mayBeCut: boolean): boolean {
  if (takeAll(left, pieces(line.bytes, [], maxRecordBytes))) return true;
  if (line.hasHole && takeInTwo(left, line.bytes)) return true;
  return mayBeCut && cutPieces(line, maxRecordBytes).some((records) => takeAll(left, records));
}

/** Outside of the globs a line that stays unfinished for long is taken as whole; its rest is a line of its own. */
function cutPieces(line: Line, maxRecordBytes: number): string[][] {
  const cuts = line.content.quietCuts
    .filter((at) => at > line.start && at < line.end)
    .map((at) => at - line.start);
  return allSubsets(cuts)
    .filter((set) => set.length > 0)
    .map((set) => pieces(line.bytes, set, maxRecordBytes));
}

/** Takes what is there of a line that may be missing, and returns the byte ranges of its content that are not. */
function takeSome(
  left: Map<string, number>,
  line: Line,
  maxRecordBytes: number,
): [from: number, to: number][] {
  const missing: [from: number, to: number][] = [];
  let at = line.start;
  for (const record of pieces(line.bytes, [], maxRecordBytes)) {
    const isLast = at + record.length >= line.start + line.bytes.length;
    const end = isLast ? line.end : at + record.length;
    if (!takeAll(left, [record])) missing.push([at, end]);
    at = end;
  }
  return missing;
}

export async function judge(world: World): Promise<Verdict> {
  const { broker, disk, truth, config } = world;
  const { maxRecordBytes } = config.framing;
  const partitions = [...broker.deleted, ...broker.partitions].map(({ values }) =>
    values
      .filter((value) => value.length === 0 || behindHole(value).length > 0)
      .map((value) => latin1(behindHole(value))),
  );
  const left = new Map<string, number>();
  for (const values of partitions) for (const value of values) left.set(value, (left.get(value) ?? 0) + 1);

  // Copies of what was written elsewhere are nobody's lines.
  const contents = disk.contents.filter(({ bornAs }) => !bornAs.startsWith('/archive/'));
  const lines = contents.flatMap(linesOf);
  const isExcused = ({ content, end, terminated }: Line): boolean =>
    end <= truth.excusedBytes(content) || !terminated;
  const missing: string[] = [];
  let knowableBytes = 0;
  let missingBytes = 0;
  // Those first that nothing excuses: short pieces of long lines can be the same.
  for (const line of lines.filter((one) => !isExcused(one))) {
    if (takeLine(left, line, maxRecordBytes, truth.leftGlobs(line.content))) continue;
    missing.push(`${shown(latin1(line.bytes))} of ${line.content.bornAs}, [${line.start}, ${line.end})`);
  }
  for (const line of lines.filter(isExcused)) {
    if (takeLine(left, line, maxRecordBytes, truth.leftGlobs(line.content))) continue;
    const knownTo = truth.knowableBytes(line.content);
    for (const [from, to] of takeSome(left, line, maxRecordBytes)) {
      missingBytes += to - from;
      knowableBytes += Math.max(0, Math.min(to, knownTo) - from);
    }
  }
  const expected = new Set(
    lines.flatMap((line) => [
      ...pieces(line.bytes, [], maxRecordBytes),
      // A piece beside its whole line: it was sent before the journal was damaged.
      ...(truth.leftGlobs(line.content) ? cutPieces(line, maxRecordBytes).flat() : []),
    ]),
  );
  const extra = [...left].filter(([, count]) => count > 0).map(([record]) => record);
  const lostBytes = await world.count('skald_agent_lost_bytes_total');
  const truncatedBytes = await world.count('skald_agent_lost_bytes_total', { reason: 'truncated' });
  const nothingGone = contents.every((content) => truth.excusedBytes(content) === 0);
  return {
    missing,
    doubled: extra.filter((record) => expected.has(record)).map(shown),
    strange: extra.filter((record) => !expected.has(record)).map(shown),
    disordered: disorder(world, partitions),
    uncountedBytes: Math.max(0, knowableBytes - lostBytes),
    overcountedBytes: Math.max(0, truncatedBytes - missingBytes),
    wronglyCountedBytes: nothingGone ? lostBytes : 0,
  };
}

/** Lines of one content that stand in one partition in another order than in the file. */
function disorder(world: World, partitions: readonly string[][]): string[] {
  const contentOf = new Map<string, number>();
  for (const content of world.disk.contents) {
    for (const { bytes } of linesOf(content)) {
      const name = NAME.exec(latin1(bytes))?.[0];
      if (name !== undefined) contentOf.set(name, content.serial);
    }
  }
  const wrong: string[] = [];
  for (const [partition, values] of partitions.entries()) {
    const last = new Map<number, number>();
    for (const value of values) {
      const match = NAME.exec(value);
      const content = match === null ? undefined : contentOf.get(match[0]);
      if (content === undefined) continue;
      const number = Number(match![2]);
      if (number <= (last.get(content) ?? 0))
        wrong.push(`${match![0]}in partition ${partition} behind ${last.get(content)}`);
      last.set(content, number);
    }
  }
  return wrong;
}
