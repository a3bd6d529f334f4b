import { decompress as unzstd } from '@mongodb-js/zstd/bindings.js';
import { decompressFrameSync } from 'lz4-napi';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { CODEC_LEVELS, type WritableCodecName } from '../../../shared/codec/codec.ts';
import { compress } from '../../../shared/codec/compress.ts';
import { hasTool, pipeThrough } from '../../support/command-line-tools.ts';
import { noise, sampleText } from './sample-text.ts';

const KIB = 1024;
const CODECS = ['none', 'gzip', 'lz4', 'zstd'] as const satisfies readonly WritableCodecName[];

/** Decoders that Skald did not write. */
const READERS: Record<WritableCodecName, (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>> = {
  none: (bytes) => bytes,
  gzip: (bytes) => gunzipSync(bytes),
  lz4: (bytes) => decompressFrameSync(Buffer.from(bytes)),
  zstd: (bytes) => unzstd(bytes),
};

const PROGRAMS = { gzip: ['-dc'], lz4: ['-dcq'], zstd: ['-dcq'] } as const;

/**
 * Around the sizes where LZ4 changes its block size or begins another block, where zstd does, and the empty
 * input.
 */
const SIZES = [0, 1, 10, 64 * KIB, 64 * KIB + 1, 128 * KIB + 1, 256 * KIB + 1, 4096 * KIB, 9000 * KIB + 3];

describe.each(CODECS)('%s', (codec) => {
  test.each(SIZES)('%i bytes of text are read by an independent decoder', async (size) => {
    const input = sampleText(size);
    const output = await READERS[codec](await compress(codec, input));
    expect(input.equals(output)).toBe(true);
  });

  test('what does not compress is read too, and grows by less than a thousandth', async () => {
    const input = noise(300 * KIB);
    const compressed = await compress(codec, input);
    expect(input.equals(await READERS[codec](compressed))).toBe(true);
    expect(compressed.length).toBeLessThan(input.length * 1.001);
  });

  test('the headroom is left in front, and the buffer can be transferred', async () => {
    const plain = await compress(codec, sampleText(500));
    const shifted = await compress(codec, sampleText(500), { headroom: 61 });
    expect(Buffer.from(shifted.subarray(61)).equals(plain)).toBe(true);
    expect(shifted.buffer.byteLength).toBe(shifted.length);
    expect(structuredClone(shifted, { transfer: [shifted.buffer] }).length).toBe(61 + plain.length);
    expect(shifted.length).toBe(0);
  });

  test('the input keeps its bytes, and the same input gives the same output', async () => {
    const input = sampleText(70 * KIB);
    const [first, second] = await Promise.all([compress(codec, input), compress(codec, input)]);
    expect(Buffer.from(first).equals(second)).toBe(true);
    expect(input.equals(sampleText(70 * KIB))).toBe(true);
  });
});

describe.each(['gzip', 'zstd'] as const)('%s levels', (codec) => {
  const range = CODEC_LEVELS[codec]!;

  test('the highest compresses better than the lowest', async () => {
    const input = sampleText(200 * KIB);
    const low = await compress(codec, input, { level: range.min });
    const high = await compress(codec, input, { level: range.max });
    expect(high.length).toBeLessThan(low.length);
    expect(input.equals(await READERS[codec](high))).toBe(true);
  });

  test.each([range.min - 1, range.max + 1, 1.5, Number.NaN])('level %d is refused', async (level) => {
    await expect(compress(codec, sampleText(10), { level })).rejects.toThrow(RangeError);
  });
});

test.each(['none', 'lz4'] as const)('%s has no levels', async (codec) => {
  await expect(compress(codec, sampleText(10), { level: 1 })).rejects.toThrow(/no levels/);
});

describe.each(['gzip', 'lz4', 'zstd'] as const)('the %s program', (codec) => {
  test.skipIf(!hasTool(codec)).each([0, 100, 64 * KIB + 1, 5000 * KIB])('reads %i bytes', async (size) => {
    const input = sampleText(size);
    expect(input.equals(pipeThrough(codec, PROGRAMS[codec], await compress(codec, input)))).toBe(true);
  });

  test.skipIf(!hasTool(codec))('reads two frames one after the other', async () => {
    const input = sampleText(90 * KIB);
    const half = input.length / 2;
    const frames = [
      await compress(codec, input.subarray(0, half)),
      await compress(codec, input.subarray(half)),
    ];
    expect(input.equals(pipeThrough(codec, PROGRAMS[codec], Buffer.concat(frames)))).toBe(true);
  });
});

test('an LZ4 frame is the one that the specification describes', async () => {
  // Magic; FLG: version 01, independent blocks; BD: 64 KiB; HC; a stored block of 3 bytes; the end mark.
  // 0x82 is the header checksum that Kafka's Java client writes for the same descriptor.
  const expected = Buffer.from('04224d186040820300008061626300000000', 'hex');
  expect(Buffer.from(await compress('lz4', Buffer.from('abc'))).equals(expected)).toBe(true);
});

// The BD byte: 0x40 64 KiB, 0x50 256 KiB, 0x60 1 MiB, 0x70 4 MiB. A reader allocates that much.
test.each([
  [0, 0x40],
  [64 * KIB, 0x40],
  [64 * KIB + 1, 0x50],
  [256 * KIB, 0x50],
  [256 * KIB + 1, 0x60],
  [1024 * KIB + 1, 0x70],
  [9000 * KIB, 0x70],
])('%i bytes become LZ4 blocks of the smallest size that holds them', async (size, descriptor) => {
  expect((await compress('lz4', sampleText(size)))[5]).toBe(descriptor);
});
