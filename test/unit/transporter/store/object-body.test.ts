import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { bodyFields, sendInPieces } from '../../../../transporter/store/object-body.ts';

const PIECES = ['first piece, ', 'second, ', 'third'].map((text) => Buffer.from(text));
const WHOLE = Buffer.concat(PIECES);

/** What a client sent in each attempt; the first one fails. */
async function putTwice(endpoint: string) {
  const attempts: { headers: Record<string, string>; pieces: Uint8Array[] }[] = [];
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
    requestHandler: {
      handle: async (request: { headers: Record<string, string>; body: Readable }) => {
        const pieces: Uint8Array[] = await request.body.toArray();
        attempts.push({ headers: request.headers, pieces });
        const statusCode = attempts.length === 1 ? 503 : 200;
        return { response: { statusCode, headers: { etag: '"e"' }, body: Readable.from([]) } };
      },
    },
  });
  sendInPieces(client);
  await client.send(new PutObjectCommand({ Bucket: 'b', Key: 'k', ...bodyFields(PIECES) }));
  return attempts;
}

test('goes out in its pieces, not copied, and again from the start when an attempt fails', async () => {
  const attempts = await putTwice('http://store.test');
  expect(attempts).toHaveLength(2);
  for (const { headers, pieces } of attempts) {
    expect(pieces.map((piece) => piece.buffer)).toEqual(PIECES.map((piece) => piece.buffer));
    expect(headers['content-length']).toBe(String(WHOLE.length));
    // From a bit-by-bit CRC-32C, which makes e3069283 of 123456789 as RFC 3720 says
    expect(headers['x-amz-checksum-crc32c']).toBe('E3ilgw==');
  }
});

test('its hash is signed where nothing else protects it', async () => {
  const sha256 = createHash('sha256').update(WHOLE).digest('hex');
  for (const { headers } of await putTwice('http://store.test'))
    expect(headers['x-amz-content-sha256']).toBe(sha256);
});

test('over TLS it is not hashed a second time', async () => {
  for (const { headers } of await putTwice('https://store.test'))
    expect(headers['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD');
});
