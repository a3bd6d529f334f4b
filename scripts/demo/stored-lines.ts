import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { decompress } from '@mongodb-js/zstd/bindings.js';
import { messageOf } from '../../shared/errors.ts';
import type { S3Access } from '../stack/s3proxy.ts';
import { DemoError } from './demo-error.ts';
import { createLineSplitter } from './split-lines.ts';

export interface StoredObject {
  key: string;
  bytes: number;
}

export interface StoredLines {
  /** All objects with records that there are, by name. */
  list(): Promise<StoredObject[]>;
  /** Calls back for each line of an object, without its line feed; returns the bytes of its text. */
  read(object: StoredObject, onLine: (line: Uint8Array) => void): Promise<number>;
  close(): void;
}

/** An object is at most one chunk, which the demo's transporters cut at 16 MiB. */
const REQUEST_TIMEOUT_MS = 60_000;
const EXTENSION = '.log.zst';

/**
 * The lines that are in S3, read with the AWS SDK and the zstd library directly: an independent witness, which shares no
 * code with the transporter that wrote them. Calls throw a DemoError that names the object.
 */
export function openStoredLines(access: S3Access, prefix: string, signal: AbortSignal): StoredLines {
  const client = new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    credentials: access,
    forcePathStyle: true,
  });
  const limits = (): { abortSignal: AbortSignal } => ({
    abortSignal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
  });

  const fetchText = async (key: string): Promise<Uint8Array> => {
    if (!key.endsWith(EXTENSION))
      throw new Error(`is not one of the demo's objects, which end in ${EXTENSION}`);
    const answer = await client.send(new GetObjectCommand({ Bucket: access.bucket, Key: key }), limits());
    if (answer.Body === undefined) throw new Error('came without content');
    return decompress(await answer.Body.transformToByteArray());
  };

  return {
    async list() {
      const objects: StoredObject[] = [];
      let next: string | undefined;
      do {
        const page = await client.send(
          new ListObjectsV2Command({ Bucket: access.bucket, Prefix: prefix, ContinuationToken: next }),
          limits(),
        );
        for (const { Key: key, Size: bytes } of page.Contents ?? []) {
          const isMarker = key === undefined || /\/_[^/]*$/.test(key); // such as _SUCCESS
          if (!isMarker) objects.push({ key, bytes: bytes ?? 0 });
        }
        next = page.NextContinuationToken;
      } while (next !== undefined);
      return objects;
    },
    async read({ key }, onLine) {
      try {
        const text = await fetchText(key);
        const splitter = createLineSplitter(onLine);
        splitter.push(text);
        if (splitter.restBytes > 0)
          throw new Error(`ends with ${splitter.restBytes} bytes without a line feed`);
        return text.length;
      } catch (error) {
        signal.throwIfAborted();
        throw new DemoError(`object ${key}: ${messageOf(error)}`, { cause: error });
      }
    },
    close: () => client.destroy(),
  };
}
