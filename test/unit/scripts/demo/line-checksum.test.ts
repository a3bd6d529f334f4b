import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createLineChecksum, digestOf } from '../../../../scripts/demo/line-checksum.ts';

function checksumOf(lines: readonly (string | Buffer)[]): string {
  const checksum = createLineChecksum();
  for (const line of lines) checksum.add(digestOf(Buffer.from(line)));
  return checksum.hex();
}

describe('the checksum of lines', () => {
  test('is the sum that another implementation makes of the same lines', () => {
    // Python: sum(int.from_bytes(hashlib.sha256(line).digest()[:16], 'big') for line in lines) % 2**128
    const lines = ['', 'a', '127.0.0.1 - - "GET /"', Buffer.from([0x00, 0xff, 0xfe, 0x09])];

    expect(checksumOf(lines)).toBe('7a7cd1fafd3a8f01010a1b17b31a5fb6');
    expect(checksumOf([])).toBe('0'.repeat(32));
  });

  test('carries over millions of additions as whole numbers of any size do', () => {
    const checksum = createLineChecksum();
    const digest = digestOf(Buffer.from('a'));
    const count = 3 * 2 ** 20 + 7;
    const term = BigInt(`0x${createHash('sha256').update('a').digest('hex').slice(0, 32)}`);

    for (let added = 0; added < count; added++) checksum.add(digest);

    expect(BigInt(`0x${checksum.hex()}`)).toBe((term * BigInt(count)) % 2n ** 128n);
  });

  test('is the same in any order, and another one when a line is lost, doubled or altered', () => {
    const good = checksumOf(['one', 'two', 'three']);

    expect(checksumOf(['three', 'one', 'two'])).toBe(good);
    expect(checksumOf(['one', 'two'])).not.toBe(good);
    expect(checksumOf(['one', 'two', 'three', 'three'])).not.toBe(good);
    expect(checksumOf(['one', 'two', 'thref'])).not.toBe(good);
    // Exclusive or would not notice this one.
    expect(checksumOf(['one', 'two', 'three', 'three', 'three'])).not.toBe(good);
  });

  test('can be read at any time without losing what was added', () => {
    const checksum = createLineChecksum();
    checksum.add(digestOf(Buffer.from('one')));
    checksum.hex();
    checksum.add(digestOf(Buffer.from('two')));

    expect(checksum.hex()).toBe(checksumOf(['one', 'two']));
  });
});
