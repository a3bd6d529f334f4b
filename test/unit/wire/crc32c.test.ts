import { expect, test } from 'vitest';
import { crc32c } from '../../../shared/wire/crc32c.ts';

// RFC 3720, appendix B.4, and the check value of CRC-32/ISCSI in the CRC catalogue.
test.each([
  ['the check string', Buffer.from('123456789'), 0xe3069283],
  ['32 bytes of zero', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of 0xff', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 bytes that rise', Buffer.from([...Array(32).keys()]), 0x46dd794e],
  ['32 bytes that fall', Buffer.from([...Array(32).keys()].reverse()), 0x113fdb5c],
])('%s', (_name, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});

test('a part of a buffer, and one part after the other', () => {
  const bytes = Buffer.from('xx123456789yy');
  expect(crc32c(bytes, 2, 11)).toBe(0xe3069283);
  expect(crc32c(bytes, 6, 11, crc32c(bytes, 2, 6))).toBe(0xe3069283);
});
