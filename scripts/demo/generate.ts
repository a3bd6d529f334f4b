import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createLineChecksum, digestOf } from './line-checksum.ts';
import type { LineChecksum } from './line-checksum.ts';
import { createLineMaker } from './log-line.ts';
import { seededRandom } from './random.ts';
import { openRotatingFile } from './rotating-file.ts';
import type { RotatingFile } from './rotating-file.ts';

export interface GeneratorPlan {
  /** Each `name` is host/file; the file is written below `directory` under that name. */
  files: readonly { name: string; lines: number }[];
  directory: string;
  /** Lines after which a file is rotated. */
  linesPerRotation: number;
  seed: number;
  /** Time of the first lines, ms since the epoch. */
  startMs: number;
  /** As fast as the machine can when absent. */
  linesPerSecond?: number;
}

/** What the generator wrote to a file, all of its rotations together. */
export interface WrittenFile {
  name: string;
  lines: number;
  /** With line breaks. */
  bytes: number;
  checksum: string;
}

export interface Written {
  lines: number;
  bytes: number;
}

interface OpenFile {
  name: string;
  left: number;
  bytes: number;
  makeLine: () => string;
  checksum: LineChecksum;
  output: RotatingFile;
}

const MAX_BURST_LINES = 500;
const REPORT_EVERY_MS = 100;

/**
 * Writes the planned lines, in bursts of one file after another as programs do. The checksums are made from the lines as
 * they are written, never from what the file system gives back.
 */
export async function generate(
  plan: GeneratorPlan,
  onProgress: (written: Written) => void,
): Promise<WrittenFile[]> {
  const random = seededRandom(plan.seed);
  const files = plan.files.map((file, index) => openFile(plan, file, index));
  const pending = files.filter(({ left }) => left > 0);
  const startedAt = performance.now();
  let reportedAt = startedAt;
  let lines = 0;
  let bytes = 0;
  while (pending.length > 0) {
    const index = random(pending.length);
    const file = pending[index]!;
    const burst = Math.min(file.left, 1 + random(MAX_BURST_LINES));
    bytes += writeBurst(file, burst);
    lines += burst;
    if (file.left === 0) pending.splice(index, 1);
    if (performance.now() - reportedAt >= REPORT_EVERY_MS) {
      onProgress({ lines, bytes });
      reportedAt = performance.now();
    }
    if (plan.linesPerSecond !== undefined) {
      const aheadMs = (lines / plan.linesPerSecond) * 1000 - (performance.now() - startedAt);
      if (aheadMs > 1) await delay(aheadMs);
    }
  }
  for (const { output } of files) output.close();
  onProgress({ lines, bytes });
  return files.map(({ name, bytes, checksum }, index) => ({
    name,
    lines: plan.files[index]!.lines,
    bytes,
    checksum: checksum.hex(),
  }));
}

function openFile(
  plan: GeneratorPlan,
  { name, lines }: { name: string; lines: number },
  index: number,
): OpenFile {
  return {
    name,
    left: lines,
    bytes: 0,
    makeLine: createLineMaker(name, plan.seed + index + 1, plan.startMs),
    checksum: createLineChecksum(),
    output: openRotatingFile(join(plan.directory, name), plan.linesPerRotation),
  };
}

function writeBurst(file: OpenFile, lines: number): number {
  let bytes = 0;
  for (let count = 0; count < lines; count++) {
    const line = file.output.append(file.makeLine());
    file.checksum.add(digestOf(line));
    bytes += line.length + 1;
  }
  file.left -= lines;
  file.bytes += bytes;
  return bytes;
}
