/** The parts alone, in one thread and in memory, each beside what it cannot be faster than. */
import { open } from 'node:fs/promises';
import { compress } from '../shared/codec/compress.ts';
import { decompress } from '../shared/codec/decompress.ts';
import { crc32c } from '../shared/wire/crc32c.ts';
import { decompressRecords } from '../shared/wire/decode-records.ts';
import { encodeLineBatch, frameSegments } from '../shared/wire/encode-lines.ts';
import { putBackFrameMemory } from '../shared/wire/frame-memory.ts';
import { verifyBatch } from '../shared/wire/record-batch.ts';
import { walkRecords } from '../shared/wire/walk-records.ts';
import type { Bench } from './bench.ts';
import { barChart } from './chart.ts';
import { machineLine, median, thisMachine, writeResults } from './report.ts';

const DEFAULT_MB = 64;
const DEFAULT_RUNS = 5;
/** Text of a batch as the agent makes it. */
const SLICE_BYTES = 1024 * 1024;
const MOST_OUTPUT_BYTES = 4 * SLICE_BYTES;
const NEWLINE = 0x0a;

interface Part {
  name: string;
  /** Name of the part that it contains, or that any way of doing it contains. */
  limit?: string;
  /** Once over everything. */
  work: () => void | Promise<void>;
}

export const micro: Bench = async ({ makeInput, runs = DEFAULT_RUNS, out, show }) => {
  const machine = thisMachine();
  const input = await makeInput(DEFAULT_MB);
  const slices = await readSlices(input.file);
  const bytes = slices.reduce((sum, slice) => sum + slice.length, 0);
  const parts = await makeParts(slices);
  const costs = new Map(parts.map(({ name }) => [name, [] as number[]]));
  for (const { work } of parts) await work(); // compiled and with its memory there
  for (let run = 1; run <= runs; run += 1) {
    for (const { name, work } of parts) {
      show(`run ${run} of ${runs}, ${name}`);
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      costs.get(name)!.push((user + system) / 1e6 / (bytes / 1e9));
    }
  }
  const perGb = new Map([...costs].map(([name, all]) => [name, median(all)]));
  const rows = parts.map(({ name, limit }) => {
    const cost = perGb.get(name)!;
    const over = limit === undefined ? '' : (cost / perGb.get(limit)!).toFixed(2);
    return `| ${name} | ${cost.toFixed(3)} | ${limit ?? ''} | ${over} |`;
  });
  const markdown = [
    '# The parts alone',
    '',
    `${(bytes / 1e6).toFixed(0)} MB of access log, a mebibyte at a time, in memory; ${runs} interleaved runs after one for warmth, medians. CPU is user and`,
    'system time of the process, garbage collection and the threads of libuv included.',
    '',
    machineLine(machine),
    '',
    '![CPU seconds per GB of each part](micro.svg)',
    '',
    '| part | CPU s per GB of text | its limit | over the limit |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
  const chart = barChart([
    {
      title: 'CPU seconds per GB of text (less is better)',
      bars: parts.map(({ name, limit }) => ({
        label: name,
        value: perGb.get(name)!,
        isOurs: limit !== undefined,
      })),
    },
  ]);
  await writeResults(
    'micro',
    { markdown, json: { machine, bytes, costs: Object.fromEntries(costs) }, chart },
    out,
  );
  return { markdown, isMet: true };
};

/** Whole lines, as the agent reads them. */
async function readSlices(file: string): Promise<Buffer[]> {
  const handle = await open(file);
  const slices: Buffer[] = [];
  try {
    for (let at = 0; ;) {
      const slice = Buffer.allocUnsafeSlow(SLICE_BYTES);
      const { bytesRead } = await handle.read(slice, 0, SLICE_BYTES, at);
      const end = slice.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1;
      if (end === 0) return slices;
      slices.push(slice.subarray(0, end));
      at += end;
    }
  } finally {
    await handle.close();
  }
}

async function makeParts(slices: readonly Buffer[]): Promise<Part[]> {
  const place = { start: 0, terminated: true, fileId: 'bench', fileOffset: 0 };
  const options = {
    timestampMs: 1_767_225_600_000,
    host: 'bench',
    pipeline: 'bench',
    maxRecordBytes: 1_000_000,
    oversize: 'split',
  } as const;
  const frame = (bytes: Buffer): void => {
    const { sink } = frameSegments([{ bytes, end: bytes.length, ...place }], options);
    putBackFrameMemory(sink.memory);
  };
  const encode = (bytes: Buffer, codec: 'lz4' | 'zstd' | 'gzip') =>
    encodeLineBatch([{ bytes, end: bytes.length, ...place }], { codec, ...options });
  const each = (work: (slice: Buffer) => unknown) => async (): Promise<void> => {
    for (const slice of slices) await work(slice);
  };
  const target = Buffer.allocUnsafeSlow(SLICE_BYTES);
  const parts: Part[] = [
    { name: 'copy memory', work: () => slices.forEach((slice) => void slice.copy(target)) },
    { name: 'find line feeds', work: () => slices.forEach(countLines) },
    { name: 'CRC-32C', work: () => slices.forEach((slice) => void crc32c(slice)) },
    {
      name: 'frame records, checksum of the text',
      limit: 'CRC-32C',
      work: each(frame),
    },
  ];
  for (const [codec, label] of [
    ['lz4', 'lz4'],
    ['zstd', 'zstd 1'],
    ['gzip', 'gzip 6'],
  ] as const) {
    const frames = await Promise.all(slices.map((slice) => compress(codec, slice)));
    const batches: Uint8Array[] = [];
    for (const slice of slices) batches.push((await encode(slice, codec)).bytes);
    const decode = async (batch: Uint8Array): Promise<void> => {
      const header = verifyBatch(batch, { start: 0, end: batch.length });
      const section = await decompressRecords(batch, header, MOST_OUTPUT_BYTES);
      let valueBytes = 0;
      walkRecords(
        section,
        header,
        (_offset, _time, _keyStart, _keyEnd, start, end) => (valueBytes += end - start),
      );
      if (valueBytes === 0) throw new Error('a batch without values');
    };
    parts.push(
      { name: `${label}: compress`, work: each((slice) => compress(codec, slice)) },
      {
        name: `${label}: whole batch`,
        limit: `${label}: compress`,
        work: each((slice) => encode(slice, codec)),
      },
      {
        name: `${label}: decompress`,
        work: async () => {
          for (const frame of frames) await decompress(codec, frame, MOST_OUTPUT_BYTES);
        },
      },
      {
        name: `${label}: check and walk a batch`,
        limit: `${label}: decompress`,
        work: async () => {
          for (const batch of batches) await decode(batch);
        },
      },
    );
  }
  return parts;
}

function countLines(slice: Buffer): number {
  let lines = 0;
  for (let at = slice.indexOf(NEWLINE); at !== -1; at = slice.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}
