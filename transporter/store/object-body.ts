import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { crc32cBase64, crc32cOfParts } from '../../shared/wire/crc32c.ts';
import { totalBytes } from './part-ranges.ts';

/**
 * The bytes of an object or of one of its parts, where they lie. The SDK takes a buffer, for which an object of a hundred
 * frames would be copied into one, or a stream, which it does not send again after a failure. This is neither, until a
 * request is sent (sendInPieces).
 */
class ObjectBody {
  readonly pieces: readonly Uint8Array[];

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces;
  }
}

/** The fields of a command that stores an object, or a part of one, of these pieces. */
export function bodyFields(pieces: readonly Uint8Array[]) {
  return {
    // The SDK's type lists what it knows to write; we write this one ourselves.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    Body: new ObjectBody(pieces) as unknown as Uint8Array,
    ContentLength: totalBytes(pieces),
    ChecksumCRC32C: crc32cBase64(crc32cOfParts(pieces)),
  };
}

/** Instead of a hash, where TLS protects the body. */
const UNSIGNED = 'UNSIGNED-PAYLOAD';

/** Of the SDK's request what is used here. */
interface BodyRequest {
  protocol: string;
  headers: Record<string, string>;
  body: ObjectBody;
}

/**
 * Lets a client send an ObjectBody: piece by piece, and from the start at each attempt. Its SHA-256 is part of the signature
 * where nothing else protects it on its way; the checksum, which the store compares, is signed in any case.
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function sendInPieces({ middlewareStack }: S3Client): void {
  middlewareStack.add(
    (next) => (args) => {
      const { request } = args;
      if (hasObjectBody(request)) {
        const hash = request.protocol === 'https:' ? UNSIGNED : sha256(request.body);
        request.headers['x-amz-content-sha256'] = hash;
      }
      return next(args);
    },
    { step: 'build', name: 'skaldBodyHash' },
  );
  // In this place of the stack it sees each attempt, when it is signed.
  middlewareStack.add(
    (next) => (args) => {
      const { request } = args;
      if (!hasObjectBody(request)) return next(args);
      return next({ ...args, request: { ...request, body: Readable.from(request.body.pieces) } });
    },
    { step: 'finalizeRequest', priority: 'low', name: 'skaldBody' },
  );
}

function hasObjectBody(request: unknown): request is BodyRequest {
  return (
    typeof request === 'object' && request !== null && 'body' in request && request.body instanceof ObjectBody
  );
}

function sha256({ pieces }: ObjectBody): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
