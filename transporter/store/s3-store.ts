import {
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3ServiceException,
  type StorageClass,
} from '@aws-sdk/client-s3';
import type { S3StoreConfig } from '../../shared/config/store-config.ts';
import type { Listing, ObjectStore, PutOptions } from './object-store.ts';
import { bodyFields } from './object-body.ts';
import { totalBytes } from './part-ranges.ts';
import { confirmedPage, confirmStored } from './s3-answer.ts';
import { abortUploads, putInParts, type WriteCondition } from './s3-multipart.ts';
import { openS3Requests, type S3Observer } from './s3-requests.ts';

/**
 * Objects in S3 or a store that speaks its protocol. Bodies are buffers, never streams, and each carries its
 * CRC-32C in a header that the store checks before it answers: some stores ignore the trailing checksums that
 * streams need.
 * Source: docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
export function openS3Store(config: S3StoreConfig, observer: S3Observer = {}): ObjectStore {
  const { bucket: Bucket, partBytes } = config;
  const requests = openS3Requests(config, observer);
  const howStored = fieldsOf(config);
  const underWay = new Set<Promise<unknown>>();
  /** Until the store has shown that it does not know conditional writes. */
  let hasConditions = true;

  const create = async (
    Key: string,
    parts: readonly Uint8Array[],
    { contentType, metadata, signal, ...condition }: PutOptions & WriteCondition,
  ): Promise<void> => {
    const object = { ...howStored, Bucket, Key, ContentType: contentType, Metadata: { ...metadata } };
    if (totalBytes(parts) >= config.multipartThresholdBytes) {
      await putInParts(requests, { object, parts, partBytes, signal, ...condition });
      return;
    }
    const body = bodyFields(parts);
    const command = new PutObjectCommand({ ...object, ...body, ...condition });
    const where = { key: Key };
    await requests.run(
      {
        where,
        send: async (client, sending) =>
          confirmStored(await client.send(command, sending), { checksum: body.ChecksumCRC32C, where }),
      },
      signal,
    );
  };

  const describe: ObjectStore['describe'] = async (Key, signal) => {
    const command = new HeadObjectCommand({ Bucket, Key });
    const where = { key: Key };
    try {
      return await requests.run(
        {
          where,
          send: async (client, sending) => {
            const head = await client.send(command, sending);
            confirmStored(head, { where });
            return head.Metadata ?? {};
          },
        },
        signal,
      );
    } catch (error) {
      if (sdkErrorName(error) === 'NotFound') return undefined;
      throw error;
    }
  };

  const list = async (folder: string, signal: AbortSignal): Promise<Listing> => {
    const listing: Listing = { objects: [], folders: [] };
    let ContinuationToken: string | undefined;
    do {
      const command = new ListObjectsV2Command({ Bucket, Prefix: folder, Delimiter: '/', ContinuationToken });
      const where = { key: folder };
      const page = await requests.run(
        { where, send: async (client, sending) => confirmedPage(await client.send(command, sending), where) },
        signal,
      );
      for (const { Key = '', Size = 0 } of page.Contents ?? [])
        listing.objects.push({ key: Key, bytes: Size });
      for (const { Prefix = '' } of page.CommonPrefixes ?? [])
        listing.folders.push(Prefix.slice(folder.length, -1));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return listing;
  };

  /** Between the look and the put another writer may come; decision 11 says what that costs. */
  const lookAndCreate: ObjectStore['put'] = async (key, parts, options) => {
    const found = await describe(key, options.signal);
    if (found === undefined) await create(key, parts, options);
    return found;
  };

  const put: ObjectStore['put'] = async (key, parts, options) => {
    if (!hasConditions) return lookAndCreate(key, parts, options);
    try {
      await create(key, parts, { ...options, IfNoneMatch: '*' });
      return undefined;
    } catch (error) {
      if (isNotImplemented(error)) {
        const found = await lookAndCreate(key, parts, options);
        // It was the condition, then, and not something else that this store does not know.
        if (hasConditions) observer.conditionsUnknown?.();
        hasConditions = false;
        return found;
      }
      // `If-None-Match: *` was not met. Source: docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
      if (sdkErrorName(error) !== 'PreconditionFailed') throw error;
      const found = await describe(key, options.signal);
      if (found === undefined) throw error; // somebody has just deleted it: the next try will write
      return found;
    }
  };

  return {
    location: `s3://${Bucket}`,
    check: async () => {
      await requests.run({ where: {}, send: (client) => client.send(new HeadBucketCommand({ Bucket })) });
    },
    put: async (...args) => {
      const putting = put(...args);
      underWay.add(putting);
      return putting.finally(() => underWay.delete(putting));
    },
    describe,
    list,
    abortUnfinished: (Key) => abortUploads(requests, { Bucket, Key }),
    close: async () => {
      await Promise.allSettled(underWay);
      requests.close();
    },
  };
}

/** By status: gateways answer without S3's error code. */
function isNotImplemented(error: unknown): boolean {
  if (!(error instanceof Error) || !(error.cause instanceof S3ServiceException)) return false;
  return error.cause.$metadata.httpStatusCode === 501;
}

function sdkErrorName(error: unknown): string | undefined {
  return error instanceof Error && error.cause instanceof Error ? error.cause.name : undefined;
}

/** What the settings ask for each object. */
function fieldsOf({ serverSideEncryption, kmsKeyId, storageClass, acl, tags }: S3StoreConfig) {
  return {
    ...(serverSideEncryption !== undefined && { ServerSideEncryption: serverSideEncryption }),
    ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
    // The SDK's type lists the classes of its day; stores have others. The store has the last word.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    ...(storageClass !== undefined && { StorageClass: storageClass as StorageClass }),
    ...(acl !== undefined && { ACL: acl }),
    ...(tags !== undefined && { Tagging: new URLSearchParams(tags).toString() }),
  };
}
