import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerReader } from '../../../shared/kafka/answer-reader.ts';
import { sharedBuffers } from '../../../shared/shared-buffers.ts';

const KIB = 1024;

/** Answers as a broker sends them, each with its size in front. */
function stream(sizes: readonly number[]): Buffer[] {
  return sizes.map((size, n) => {
    const answer = Buffer.alloc(4 + size, n + 1);
    answer.writeInt32BE(size);
    return answer;
  });
}

function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  return [...ends, bytes.length]
    .map((end, i) => Buffer.from(bytes.subarray(i === 0 ? 0 : ends[i - 1], end)))
    .filter(({ length }) => length > 0);
}

test('passes on every byte in its order, wherever the pieces end', () => {
  const size = fc.oneof(fc.nat(20), fc.integer({ min: 60 * KIB, max: 300 * KIB }));
  fc.assert(
    fc.property(
      fc.array(size, { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(2 ** 30), { maxLength: 12 }),
      (sizes, cuts) => {
        const sent = Buffer.concat(stream(sizes));
        const passed: Buffer[] = [];
        const read = answerReader(sharedBuffers(0), (bytes) => passed.push(Buffer.from(bytes)));
        for (const piece of piecesOf(sent, cuts)) read(piece);
        expect(Buffer.concat(passed).equals(sent)).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

test('a large answer comes whole, in memory that is used again when it was given back', () => {
  const memory = sharedBuffers(1024 * KIB);
  const passed: Buffer[] = [];
  const read = answerReader(memory, (bytes) => passed.push(bytes));
  const send = (bytes: Buffer): void => {
    for (let at = 0; at < bytes.length; at += 64 * KIB) read(Buffer.from(bytes.subarray(at, at + 64 * KIB)));
  };
  const [first, second] = stream([400 * KIB, 300 * KIB]);
  send(first!);
  expect(passed).toHaveLength(1);
  expect(passed[0]!.equals(first!)).toBe(true);
  memory.giveBack(passed[0]!);
  send(second!);
  expect(passed[1]!.equals(second!)).toBe(true);
  expect(passed[1]!.buffer).toBe(passed[0]!.buffer);
});

test('the pieces of a large answer are free when they are copied', () => {
  const read = answerReader(sharedBuffers(0), () => {});
  const [answer] = stream([400 * KIB]);
  const begin = Buffer.from(answer!.subarray(0, 64 * KIB));
  const middle = Buffer.alloc(64 * KIB);
  read(begin);
  read(middle);
  expect(middle.length).toBe(0);
});

test.each([-5, 0x48545450])('takes no memory for what cannot be an answer: a size of %i', (size) => {
  const passed: Buffer[] = [];
  const memory = { take: () => expect.fail('took memory') };
  const read = answerReader(memory, (bytes) => passed.push(bytes));
  const nonsense = Buffer.alloc(100);
  nonsense.writeInt32BE(size);
  read(nonsense);
  expect(Buffer.concat(passed).equals(nonsense)).toBe(true);
});
