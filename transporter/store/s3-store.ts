import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
  type StorageClass,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3StoreConfig } from '../../shared/config/store-config.ts';
import { crc32c } from '../../shared/wire/crc32c.ts';
import type { ObjectStore, PutOptions } from './object-store.ts';
import { partRanges, sliceOf } from './part-ranges.ts';
import { s3Error } from './s3-error.ts';
import { createSlots } from './slots.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** Every start would otherwise begin with the announcement that the SDK will want a newer Node one day. */
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

/** Called once for each request that ended, attempts after the first included. */
export type RequestObserver = (request: { seconds: number; errorCode: string | undefined }) => void;

/**
 * Objects in S3 or a store that speaks its protocol. Bodies are buffers, never streams, and each carries its
 * CRC-32C in a header that the store checks before it answers: some stores ignore the trailing checksums that
 * streams need.
 * Source: docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
export function openS3Store(config: S3StoreConfig, observe: RequestObserver = () => {}): ObjectStore {
  const {
    bucket: Bucket,
    accessKeyId,
    secretAccessKey,
    serverSideEncryption,
    kmsKeyId,
    storageClass,
    acl,
    tags,
  } = config;
  const client = new S3Client({
    region: config.region,
    forcePathStyle: config.forcePathStyle,
    maxAttempts: config.maxAttempts,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: config.requestTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: config.maxConcurrentUploads + 1 },
      httpsAgent: { maxSockets: config.maxConcurrentUploads + 1 },
    },
    ...(config.endpoint !== undefined && { endpoint: config.endpoint }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
  });
  const slots = createSlots(config.maxConcurrentUploads);
  const objectFields = {
    ...(serverSideEncryption !== undefined && { ServerSideEncryption: serverSideEncryption }),
    ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
    // The SDK's type lists the classes of its day; stores have others. The store has the last word.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    ...(storageClass !== undefined && { StorageClass: storageClass as StorageClass }),
    ...(acl !== undefined && { ACL: acl }),
    ...(tags !== undefined && { Tagging: new URLSearchParams(tags).toString() }),
  };

  /**
   * One request in one slot, timed, with the SDK's retries inside and its errors turned into ours. It gets a
   * signal of its own: the SDK leaves listeners on the one that it is given, and the caller's lives as long
   * as a partition is owned.
   */
  const request = async <T>(
    where: Record<string, string>,
    given: AbortSignal | undefined,
    send: (options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> =>
    slots.run(given, async () => {
      const own = new AbortController();
      const abort = (): void => own.abort(given?.reason);
      given?.addEventListener('abort', abort, { once: true });
      const startedAt = performance.now();
      let errorCode: string | undefined;
      try {
        return await send({ abortSignal: own.signal });
      } catch (error) {
        given?.throwIfAborted();
        const mapped = s3Error(error, { bucket: Bucket, ...where });
        errorCode = mapped.code;
        throw mapped;
      } finally {
        given?.removeEventListener('abort', abort);
        observe({ seconds: (performance.now() - startedAt) / 1000, errorCode });
      }
    });

  const putWhole = async (Key: string, parts: readonly Uint8Array[], options: PutOptions): Promise<void> => {
    const Body = sliceOf(parts, 0, totalBytes(parts));
    await request({ key: Key }, options.signal, (sending) =>
      client.send(
        new PutObjectCommand({
          ...objectFields,
          Bucket,
          Key,
          Body,
          ContentType: options.contentType,
          Metadata: { ...options.metadata },
          ChecksumCRC32C: checksumOf(Body),
        }),
        sending,
      ),
    );
  };

  const abort = async (Key: string, UploadId: string): Promise<void> => {
    await request({ key: Key }, undefined, () =>
      client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })),
    );
  };

  const putInParts = async (
    Key: string,
    parts: readonly Uint8Array[],
    options: PutOptions,
  ): Promise<void> => {
    const { signal } = options;
    const created = await request({ key: Key }, signal, (sending) =>
      client.send(
        new CreateMultipartUploadCommand({
          ...objectFields,
          Bucket,
          Key,
          ContentType: options.contentType,
          Metadata: { ...options.metadata },
          ChecksumAlgorithm: 'CRC32C',
        }),
        sending,
      ),
    );
    const UploadId = created.UploadId!;
    const putPart = async (start: number, end: number, PartNumber: number): Promise<CompletedPart> =>
      request({ key: Key, part: String(PartNumber) }, signal, async (sending) => {
        // Cut here, inside the slot: as many copies exist at once as requests.
        const Body = sliceOf(parts, start, end);
        const ChecksumCRC32C = checksumOf(Body);
        const input = { Bucket, Key, UploadId, PartNumber, Body, ChecksumCRC32C };
        const { ETag } = await client.send(new UploadPartCommand(input), sending);
        return { PartNumber, ChecksumCRC32C, ...(ETag !== undefined && { ETag }) };
      });
    try {
      const ranges = partRanges(totalBytes(parts), config.partBytes);
      const Parts = await allSettledOrThrow(ranges.map(({ start, end }, i) => putPart(start, end, i + 1)));
      const input = { Bucket, Key, UploadId, MultipartUpload: { Parts } };
      await request({ key: Key }, signal, (sending) =>
        client.send(new CompleteMultipartUploadCommand(input), sending),
      );
    } catch (error) {
      // Unfinished parts are paid for. When this fails as well, the next owner's abortUnfinished or the
      // bucket's lifecycle rule removes them; the first error is the one to report.
      await abort(Key, UploadId).catch(() => {});
      throw error;
    }
  };

  return {
    location: `s3://${Bucket}`,
    check: async () => {
      await request({}, undefined, () => client.send(new HeadBucketCommand({ Bucket })));
    },
    put: async (key, parts, options) => {
      const inParts = totalBytes(parts) >= config.multipartThresholdBytes;
      await (inParts ? putInParts : putWhole)(key, parts, options);
    },
    abortUnfinished: async (key) => {
      const listed = await request({ key }, undefined, () =>
        client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: key })),
      );
      for (const { Key, UploadId } of listed.Uploads ?? []) {
        if (Key === key && UploadId !== undefined) await abort(key, UploadId);
      }
    },
    close: () => client.destroy(),
  };
}

function totalBytes(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** As S3 wants it: base64 of the big-endian CRC. */
function checksumOf(bytes: Uint8Array): string {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(crc32c(bytes));
  return buffer.toString('base64');
}

/** All results, or the first error, but not before everything has come to rest. */
async function allSettledOrThrow<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  const failure = settled.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
