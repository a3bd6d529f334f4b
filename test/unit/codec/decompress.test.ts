import { compressFrameSync } from 'lz4-napi';
import { compressSync as compressSnappy } from 'snappy';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { CodecName } from '../../../shared/codec/codec.ts';
import { compress } from '../../../shared/codec/compress.ts';
import { decompress } from '../../../shared/codec/decompress.ts';
import { type SkaldError, isSkaldError } from '../../../shared/errors.ts';
import { hasTool, pipeThrough } from '../../support/command-line-tools.ts';
import { fromHex } from './hex.ts';
import { noise, sampleText } from './sample-text.ts';

const KIB = 1024;
const LIMIT = 64 * 1024 * KIB;

/**
 * Writes xerial's framing as SnappyOutputStream of snappy-java does: header, then blocks behind their sizes.
 */
function xerial(blocks: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from('82534e41505059000000000100000001', 'hex')];
  for (const block of blocks) {
    const compressed = compressSnappy(block);
    const size = Buffer.alloc(4);
    size.writeInt32BE(compressed.length);
    parts.push(size, compressed);
  }
  return Buffer.concat(parts);
}

/** Whether the input decompresses to the content, also when no byte more is allowed. */
async function decodesTo(codec: CodecName, input: Uint8Array, content: Buffer): Promise<boolean> {
  const [roomy, exact] = [LIMIT, content.length].map((limit) => decompress(codec, input, limit));
  return content.equals(await roomy!) && content.equals(await exact!);
}

/** The error that refuses the input; what is refused differently, or not at all, fails the test. */
async function failureOf(codec: CodecName, input: Uint8Array, limit = LIMIT): Promise<SkaldError> {
  try {
    await decompress(codec, input, limit);
  } catch (error) {
    if (isSkaldError(error, 'CODEC_FAILED') && error.where['codec'] === codec) return error;
    throw error;
  }
  throw new Error(`${codec} accepted ${input.length} bytes`);
}

const text = sampleText(300 * KIB);

describe('lz4 frames of the lz4 program', () => {
  const VARIANTS = [
    ['linked blocks of 64 KiB', ['-B4', '-BD']],
    ['linked blocks of 4 MiB, best compression', ['-9', '-B7', '-BD']],
    ['block checksums', ['-B4', '-BX']],
    ['linked blocks and block checksums', ['-B4', '-BD', '-BX']],
    ['no content checksum', ['--no-frame-crc']],
    ['independent blocks of 256 KiB', ['-B5', '-BI']],
  ] as const;
  test.skipIf(!hasTool('lz4')).each(VARIANTS)('%s', async (_name, args) => {
    for (const content of [text, noise(100 * KIB), Buffer.concat([noise(70 * KIB), text]), Buffer.alloc(0)]) {
      expect(await decodesTo('lz4', pipeThrough('lz4', ['-cq', ...args], content), content)).toBe(true);
    }
  });

  test('content size and checksums written by another library', async () => {
    const frame = compressFrameSync(text, { contentChecksum: true, blockChecksums: true });
    expect(await decodesTo('lz4', frame, text)).toBe(true);
  });

  test('a frame that promises its content size, which is verified', async () => {
    // What `lz4 --content-size` writes for "abc": FLG 0x6c has the content size and the content checksum.
    const frame = Buffer.from('04224d186c400300000000000000290300008061626300000000ff53d132', 'hex');
    expect(await decodesTo('lz4', frame, Buffer.from('abc'))).toBe(true);
    // Its header for four bytes, which has its own checksum, before a block of three.
    const liar = Buffer.concat([Buffer.from('04224d186c40040000000000000019', 'hex'), frame.subarray(15)]);
    expect((await failureOf('lz4', liar)).message).toContain('holds 3 bytes, not 4');
  });

  test('a changed content, block or header checksum is refused', async () => {
    const frame = compressFrameSync(text, { contentChecksum: true, blockChecksums: true });
    const content = Buffer.from(frame);
    content[frame.length - 1]! ^= 1;
    expect((await failureOf('lz4', content)).message).toContain('content checksum');
    const block = Buffer.from(frame);
    block[frame.length - 9]! ^= 1;
    expect((await failureOf('lz4', block)).message).toContain('block checksum');
    const header = Buffer.from(frame);
    header[6]! ^= 1;
    expect((await failureOf('lz4', header)).message).toContain('header checksum');
  });
});

describe('lz4 frames by hand', () => {
  // Magic, FLG, BD of 64 KiB, HC: the headers that the lz4 program writes for linked and independent blocks
  // without checksums.
  const LINKED = '04224d18 40 40 c0';
  const INDEPENDENT = '04224d18 60 40 82';
  const END = '00000000';
  // No literals and a copy of four bytes from nine back, then the five literals that end a block. Nine bytes
  // in all.
  const COPY_FROM_NINE_BACK = '09000000 00 0900 50 3132333435';

  test('a linked block reaches over a short block into the one before', async () => {
    const frame = fromHex(`${LINKED} 08000080 6162636465666768 01000080 78 ${COPY_FROM_NINE_BACK} ${END}`);
    // The lz4 program reads the same.
    expect(await decodesTo('lz4', frame, Buffer.from('abcdefghxabcd12345'))).toBe(true);
  });

  test('an independent block does not reach into the one before, nor a frame into another', async () => {
    const nineBytes = '09000080 616263646566676878';
    const block = fromHex(`${INDEPENDENT} ${nineBytes} ${COPY_FROM_NINE_BACK} ${END}`);
    expect((await failureOf('lz4', block)).where).toMatchObject({ byte: 24 });
    const frames = fromHex(`${LINKED} ${nineBytes} ${END} ${LINKED} ${COPY_FROM_NINE_BACK} ${END}`);
    expect((await failureOf('lz4', frames)).where).toMatchObject({ byte: 35 });
  });

  test('a block larger than the blocks of its frame', async () => {
    const frame = Buffer.concat([fromHex(`${INDEPENDENT} 01000180`), Buffer.alloc(65_537), fromHex(END)]);
    expect((await failureOf('lz4', frame)).where).toMatchObject({ byte: 7 });
  });

  test.each([
    ['version 0', '04224d18 20 40 00', 4],
    ['a reserved flag', '04224d18 62 40 00', 4],
    ['a dictionary', '04224d18 61 40 00000000 00', 4],
    ['block size id 3', '04224d18 60 30 00', 5],
    ['a reserved bit beside the block size', '04224d18 60 41 00', 5],
    ['the magic of the legacy format', '02214c18 00000000', 0],
  ])('%s', async (_name, hex, byte) => {
    expect((await failureOf('lz4', fromHex(`${hex} ${END}`))).where).toMatchObject({ byte });
  });
});

describe('zstd frames by hand', () => {
  // RFC 8878: magic, descriptor, window 128 KiB (0x38) unless single segment (0x20), blocks of "last, type,
  // size".
  test.each([
    ['a block of the reserved type', '28b52ffd 00 38 0f0000 61', 6],
    ['a reserved bit in the descriptor', '28b52ffd 08 38 0b0000 61', 4],
    ['a dictionary', '28b52ffd 01 38 07 0b0000 61', 6],
    ['a block larger than the window', '28b52ffd 20 01 130000 61', 6],
    ['another magic', '28b52ffe 00 38 0b0000 61', 0],
  ])('%s', async (_name, hex, byte) => {
    expect((await failureOf('zstd', fromHex(hex))).where).toMatchObject({ byte });
  });

  test.each([
    ['one byte', '20 03', 3, '1b0000'],
    ['two bytes, which count from 256', '60 0000', 256, '030800'],
    ['four bytes', 'a0 00000100', 65_536, '030008'],
    ['eight bytes', 'e0 0000010000000000', 65_536, '030008'],
  ])('a content size of %s', async (_name, header, size, block) => {
    expect(await decodesTo('zstd', fromHex(`28b52ffd ${header} ${block} 61`), Buffer.alloc(size, 0x61))).toBe(
      true,
    );
  });
});

describe('zstd frames of the zstd program', () => {
  const VARIANTS = [
    ['level 1', ['-1']],
    ['level 19, which splits blocks', ['-19']],
    ['no checksum', ['--no-check']],
    ['a window of 128 MiB', ['--long=27']],
  ] as const;
  test.skipIf(!hasTool('zstd')).each(VARIANTS)('%s', async (_name, args) => {
    for (const content of [text, noise(200 * KIB), Buffer.alloc(500 * KIB), Buffer.alloc(0)]) {
      expect(await decodesTo('zstd', pipeThrough('zstd', ['-cq', ...args], content), content)).toBe(true);
    }
  });
});

describe('gzip', () => {
  test('members with and without fields in their header', async () => {
    // FLG 0x08: a file name. RFC 1952, section 2.3.
    const plain = gzipSync(text);
    const named = Buffer.concat([
      plain.subarray(0, 3),
      Buffer.from([8]),
      plain.subarray(4, 10),
      Buffer.from('access.log\0'),
      plain.subarray(10),
    ]);
    expect(await decodesTo('gzip', named, text)).toBe(true);
  });

  test.each(['00', '0000000000', '6a756e6b', '1f'])('bytes %s after the last member', async (trailer) => {
    expect(
      (await failureOf('gzip', Buffer.concat([gzipSync(text), Buffer.from(trailer, 'hex')]))).where['byte'],
    ).toBeGreaterThanOrEqual(0);
  });
});

describe('snappy', () => {
  test('a raw block, as librdkafka writes it', async () => {
    expect(await decodesTo('snappy', compressSnappy(text), text)).toBe(true);
  });

  test('the framing of xerial, in one and in several blocks, and without any', async () => {
    expect(await decodesTo('snappy', xerial([text]), text)).toBe(true);
    expect(
      await decodesTo('snappy', xerial([text.subarray(0, 32 * KIB), text.subarray(32 * KIB)]), text),
    ).toBe(true);
    expect(await decodesTo('snappy', xerial([]), Buffer.alloc(0))).toBe(true);
  });

  test('a block written out by hand', async () => {
    // Length 10; literal of 1 (tag 0x00) "a"; copy of 9 from 1 back (tag: (9 - 4) << 2 | 1, offset 1).
    // format_description.txt.
    expect(await decodesTo('snappy', Buffer.from('0a00611501', 'hex'), Buffer.from('aaaaaaaaaa'))).toBe(true);
  });

  test.each([
    ['a negative size', 'fffffff0'],
    ['a size beyond the input', '00000100'],
    ['a cut-off size', '0000'],
  ])('%s of a xerial block', async (_name, tail) => {
    expect(
      (await failureOf('snappy', Buffer.concat([xerial([text]), Buffer.from(tail, 'hex')]))).where['byte'],
    ).toBeGreaterThanOrEqual(0);
  });
});

const WRITERS: Record<CodecName, (content: Buffer) => Promise<Uint8Array>> = {
  none: (content) => compress('none', content),
  gzip: (content) => compress('gzip', content),
  snappy: (content) => Promise.resolve(xerial([content])),
  lz4: (content) => compress('lz4', content),
  zstd: (content) => compress('zstd', content),
};

describe.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s', (codec) => {
  test('frames one after the other are one content', async () => {
    const contents = [sampleText(70 * KIB), sampleText(1), noise(100), sampleText(200 * KIB)];
    const frames = await Promise.all(contents.map((content) => WRITERS[codec](content)));
    expect(await decodesTo(codec, Buffer.concat(frames), Buffer.concat(contents))).toBe(true);
  });

  test('one byte more than allowed is refused', async () => {
    const error = await failureOf(codec, await WRITERS[codec](text), text.length - 1);
    expect(error.message).toMatch(/more than the \d+ bytes allowed|does not decode into/);
  });

  test('one byte more than allowed is refused in content that does not compress, and in the last of several frames', async () => {
    const contents = [noise(500), noise(70 * KIB)];
    const frames = [];
    for (const content of contents) frames.push(await WRITERS[codec](content));
    const limit = Buffer.concat(contents).length - 1;
    expect((await failureOf(codec, Buffer.concat(frames), limit)).message).toContain('bytes allowed');
  });

  test('nothing at all is refused', async () => {
    expect((await failureOf(codec, Buffer.alloc(0))).where['byte']).toBeGreaterThanOrEqual(0);
  });

  test('every truncation is refused', async () => {
    const frame = Buffer.from(await WRITERS[codec](sampleText(700)));
    // A xerial stream may end after its header of 16 bytes: it then has no blocks.
    const lengths = [...frame.keys()].filter((length) => codec !== 'snappy' || length !== 16);
    for (const length of lengths) {
      expect((await failureOf(codec, frame.subarray(0, length))).where['byte']).toBeGreaterThanOrEqual(0);
    }
  });

  // LZ4 and zstd without a checksum cannot know every changed byte; the record batch around them does, by its
  // CRC.
  test('no flipped bit ends in anything but a refusal or output within the limit', async () => {
    const frame = Buffer.from(await WRITERS[codec](sampleText(700)));
    let refused = 0;
    for (let bit = 0; bit < frame.length * 8; bit++) {
      frame[bit >>> 3]! ^= 1 << (bit & 7);
      await decompress(codec, frame, 5000).then(
        (output) => expect(output.length).toBeLessThanOrEqual(5000),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'CODEC_FAILED' });
          refused++;
        },
      );
      frame[bit >>> 3]! ^= 1 << (bit & 7);
    }
    expect(refused).toBeGreaterThan(100);
  });
});

test('gzip notices every flipped bit that changes the content', async () => {
  const content = sampleText(700);
  const frame = gzipSync(content);
  for (let bit = 0; bit < frame.length * 8; bit++) {
    frame[bit >>> 3]! ^= 1 << (bit & 7);
    const output = await decompress('gzip', frame, 5000).catch(() => content);
    expect(content.equals(output), `bit ${bit}`).toBe(true);
    frame[bit >>> 3]! ^= 1 << (bit & 7);
  }
});

test('"none" hands the input through without a copy', async () => {
  expect(await decompress('none', text, text.length)).toBe(text);
  expect((await failureOf('none', text, text.length - 1)).where['byte']).toBeGreaterThanOrEqual(0);
});

test('skippable frames are skipped between frames of lz4 and zstd', async () => {
  // Magic 0x184D2A50 to 0x184D2A5F, size, content: the same in both formats.
  const skippable = Buffer.from('5b2a4d18050000000102030405', 'hex');
  for (const codec of ['lz4', 'zstd'] as const) {
    const frame = await compress(codec, text);
    expect(
      await decodesTo(
        codec,
        Buffer.concat([skippable, frame, skippable, frame, skippable]),
        Buffer.concat([text, text]),
      ),
    ).toBe(true);
    expect(
      (await failureOf(codec, Buffer.concat([frame, skippable.subarray(0, 12)]))).where['byte'],
    ).toBeGreaterThanOrEqual(0);
  }
});
