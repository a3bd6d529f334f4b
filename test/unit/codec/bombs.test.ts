import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { CodecName } from '../../../shared/codec/codec.ts';
import { decompress } from '../../../shared/codec/decompress.ts';
import { isSkaldError, messageOf } from '../../../shared/errors.ts';

const MIB = 1024 * 1024;
const BLOCK_BYTES = 128 * 1024;

/** Zstd blocks by RFC 8878, section 3.1.1.2: a header of three bytes (last, type, size), then the content. */
function zstdBlock(type: number, size: number, content: readonly number[]): number[] {
  const word = (size << 3) | (type << 1);
  return [word & 0xff, (word >>> 8) & 0xff, word >>> 16, ...content];
}

/** One byte, `length` times. */
function runBlock(length: number): number[] {
  return zstdBlock(1, length, [0x61]);
}

/**
 * A compressed block of `length` equal bytes: run-length literals (size format 3: 20 bits of size in three
 * bytes) and no sequences.
 */
function literalsBlock(length: number): number[] {
  const header = (length << 4) | (3 << 2) | 1;
  return zstdBlock(2, 5, [header & 0xff, (header >>> 8) & 0xff, header >>> 16, 0x61, 0]);
}

/** A frame without content size or checksum, with a window of 128 KiB (descriptor 0x38: exponent 7). */
function zstdFrame(blocks: readonly number[][], header = '0038'): Buffer {
  const lastBlock = [...blocks.at(-1)!];
  lastBlock[0]! |= 1;
  return Buffer.concat([
    Buffer.from(`28b52ffd${header}`, 'hex'),
    Buffer.from(blocks.slice(0, -1).flat()),
    Buffer.from(lastBlock),
  ]);
}

/**
 * How a bomb ends: the error's code, and by how many bytes the largest size of the process rose meanwhile.
 */
async function outcomeOf(codec: CodecName, input: Uint8Array, limit: number) {
  const before = process.resourceUsage().maxRSS;
  const code = await decompress(codec, input, limit).then(
    () => 'accepted',
    (error: unknown) => (isSkaldError(error) ? error.code : messageOf(error)),
  );
  return { code, grewBy: 1024 * (process.resourceUsage().maxRSS - before) };
}

/** The limits below are a megabyte; what is beyond 64 is not noise. */
const REFUSED = { code: 'CODEC_FAILED', grewBy: expect.toSatisfy((bytes: number) => bytes < 64 * MIB) };

test('the zstd blocks of these bombs are blocks that decode', async () => {
  for (const block of [runBlock(BLOCK_BYTES), literalsBlock(BLOCK_BYTES)]) {
    const output = await decompress('zstd', zstdFrame([block, block]), 2 * BLOCK_BYTES);
    expect(Buffer.from(output).equals(Buffer.alloc(2 * BLOCK_BYTES, 0x61))).toBe(true);
  }
});

test('zstd blocks of one repeated byte: 4 bytes for 128 KiB, 1.25 GiB in all', async () => {
  expect(await outcomeOf('zstd', zstdFrame(Array(10_000).fill(runBlock(BLOCK_BYTES))), MIB)).toEqual(REFUSED);
});

test('compressed zstd blocks: 8 bytes for 128 KiB, 1.25 GiB in all', async () => {
  expect(await outcomeOf('zstd', zstdFrame(Array(10_000).fill(literalsBlock(BLOCK_BYTES))), MIB)).toEqual(
    REFUSED,
  );
});

test('a zstd frame that promises 16 bytes and holds 1.25 GiB', async () => {
  // Descriptor 0x80: a content size of four bytes, then the window.
  const frame = zstdFrame(Array(10_000).fill(literalsBlock(BLOCK_BYTES)), '803810000000');
  expect(await outcomeOf('zstd', frame, MIB)).toEqual(REFUSED);
});

test('many zstd frames that are small each', async () => {
  expect(
    await outcomeOf('zstd', Buffer.concat(Array(100).fill(zstdFrame([runBlock(BLOCK_BYTES)]))), MIB),
  ).toEqual(REFUSED);
});

test('a zstd frame that wants a window of 2 GiB', async () => {
  expect(await outcomeOf('zstd', zstdFrame([runBlock(1)], '00a8'), MIB)).toEqual(REFUSED);
});

test('a zstd frame of many short blocks is no bomb, however little each of them holds', async () => {
  const blocks = Array(2000).fill(literalsBlock(10));
  const output = await decompress('zstd', zstdFrame(blocks), 20_000);
  expect(Buffer.from(output).equals(Buffer.alloc(20_000, 0x61))).toBe(true);
  await expect(decompress('zstd', zstdFrame(blocks), 19_999)).rejects.toMatchObject({ code: 'CODEC_FAILED' });
});

test('short zstd blocks before a bomb do not hide it', async () => {
  const blocks = [...Array(500).fill(literalsBlock(10)), ...Array(10_000).fill(literalsBlock(BLOCK_BYTES))];
  expect(await outcomeOf('zstd', zstdFrame(blocks), MIB)).toEqual(REFUSED);
});

test('an LZ4 block that expands 255 times, again and again', async () => {
  // A literal "a", then a match from 1 back whose length goes on for a thousand bytes of 255; five literals
  // end the block.
  const block = [0x1f, 0x61, 1, 0, ...Array<number>(1000).fill(255), 0, 0x50, 1, 2, 3, 4, 5];
  const size = [block.length & 0xff, block.length >>> 8, 0, 0];
  const frame = (count: number) =>
    Buffer.from([
      0x04,
      0x22,
      0x4d,
      0x18,
      0x60,
      0x70,
      0x73,
      ...Array.from({ length: count }, () => [...size, ...block]).flat(),
      0,
      0,
      0,
      0,
    ]);
  // 1 literal, a match of 19 + 255 * 1000, 5 literals.
  expect((await decompress('lz4', frame(1), MIB)).length).toBe(1 + 19 + 255_000 + 5);
  expect(await outcomeOf('lz4', frame(2000), MIB)).toEqual(REFUSED);
});

test('gzip of 200 MiB of zeros', async () => {
  expect(await outcomeOf('gzip', gzipSync(Buffer.alloc(200 * MIB), { level: 9 }), MIB)).toEqual(REFUSED);
});

test.each([
  ['raw', ''],
  ['xerial', '82534e4150505900000000010000000100000007'],
])('a %s snappy block that promises 4 GiB', async (_name, prefix) => {
  expect(await outcomeOf('snappy', Buffer.from(`${prefix}ffffffff0f0061`, 'hex'), MIB)).toEqual(REFUSED);
});
