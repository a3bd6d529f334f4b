import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { bodyFields } from './object-body.ts';
import { partRanges, piecesBetween, totalBytes } from './part-ranges.ts';
import { checksumOfParts, confirmStored, uploadIdOf } from './s3-answer.ts';
import type { S3Requests } from './s3-requests.ts';

/** Whether a write replaces what has the name. Some stores answer 501 NotImplemented to it. */
export interface WriteCondition {
  IfNoneMatch?: '*';
}

export interface MultipartUpload extends WriteCondition {
  /** Bucket, Key, and how the object is stored. */
  object: Omit<CreateMultipartUploadCommandInput, 'ChecksumAlgorithm'> & { Bucket: string; Key: string };
  parts: readonly Uint8Array[];
  partBytes: number;
  signal: AbortSignal;
}

/**
 * create -> parts, some at once -> complete. What it does not complete it aborts, because unfinished parts are
 * paid for.
 * @throws SkaldError as `S3Requests`, or the signal's reason
 */
export async function putInParts(requests: S3Requests, upload: MultipartUpload): Promise<void> {
  const { Bucket, Key } = upload.object;
  const { UploadId, attempts } = await create(requests, upload);
  try {
    const Parts = await putParts(requests, UploadId, upload);
    const where = { key: Key };
    const checksum = checksumOfParts(Parts.map((part) => part.ChecksumCRC32C));
    const command = new CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: { Parts },
      ...(upload.IfNoneMatch !== undefined && { IfNoneMatch: upload.IfNoneMatch }),
    });
    await requests.run(
      {
        where,
        send: async (client, sending) =>
          confirmStored(await client.send(command, sending), { checksum, where }),
      },
      upload.signal,
    );
  } catch (error) {
    // When this fails as well, whoever makes the object again removes them; the first error is the one to report.
    await abortUpload(requests, { Bucket, Key, UploadId }).catch(() => {});
    throw error;
  }
  // An attempt whose answer was lost may have begun an upload of which nobody knows the id.
  if (attempts > 1) await abortUploads(requests, { Bucket, Key }).catch(() => {});
}

/** Aborts every unfinished upload under this very name. @throws SkaldError */
export async function abortUploads(
  requests: S3Requests,
  { Bucket, Key }: { Bucket: string; Key: string },
): Promise<void> {
  const command = new ListMultipartUploadsCommand({ Bucket, Prefix: Key });
  const { Uploads = [] } = await requests.tidy({
    where: { key: Key },
    send: (client, sending) => client.send(command, sending),
  });
  for (const found of Uploads) {
    if (found.Key !== Key || found.UploadId === undefined) continue;
    await abortUpload(requests, { Bucket, Key, UploadId: found.UploadId });
  }
}

async function abortUpload(
  requests: S3Requests,
  upload: { Bucket: string; Key: string; UploadId: string },
): Promise<void> {
  const command = new AbortMultipartUploadCommand(upload);
  await requests.tidy({
    where: { key: upload.Key },
    send: (client, sending) => client.send(command, sending),
  });
}

/** The id of a new upload, and how many were asked for to get it. */
async function create(
  requests: S3Requests,
  { object, signal }: MultipartUpload,
): Promise<{ UploadId: string; attempts: number }> {
  const command = new CreateMultipartUploadCommand({ ...object, ChecksumAlgorithm: 'CRC32C' });
  try {
    return await requests.run(
      {
        where: { key: object.Key },
        send: async (client, sending) => {
          const answer = await client.send(command, sending);
          return { UploadId: uploadIdOf(answer, object.Key), attempts: answer.$metadata.attempts ?? 1 };
        },
      },
      signal,
    );
  } catch (error) {
    // Nobody waits for the id any more. Whoever tries again drops it when it has succeeded.
    if (signal.aborted) await abortUploads(requests, object).catch(() => {});
    throw error;
  }
}

function putParts(
  requests: S3Requests,
  UploadId: string,
  { object: { Bucket, Key }, parts, partBytes, signal }: MultipartUpload,
): Promise<{ PartNumber: number; ChecksumCRC32C: string; ETag: string | undefined }[]> {
  const putPart = async ({ start, end }: { start: number; end: number }, index: number) => {
    const PartNumber = index + 1;
    const where = { key: Key, part: String(PartNumber) };
    return requests.run(
      {
        where,
        send: async (client, sending) => {
          // Inside the slot: the checksums of all parts at once would hold up everything else.
          const body = bodyFields(piecesBetween(parts, start, end));
          const { ChecksumCRC32C } = body;
          const input = { Bucket, Key, UploadId, PartNumber, ...body };
          const answer = await client.send(new UploadPartCommand(input), sending);
          confirmStored(answer, { checksum: ChecksumCRC32C, where });
          return { PartNumber, ChecksumCRC32C, ETag: answer.ETag };
        },
      },
      signal,
    );
  };
  return allSettledOrThrow(partRanges(totalBytes(parts), partBytes).map(putPart));
}

/** All results, or the first error, but not before everything has come to rest. */
async function allSettledOrThrow<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  const failure = settled.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
