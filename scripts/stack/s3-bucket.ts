import { CreateBucketCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import type { S3Access } from './s3proxy.ts';

/** True when the store has accepted a signed put of the bucket; creates it where it is missing. Throws while it is down. */
export async function ensureBucket(access: S3Access): Promise<true> {
  const client = new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    credentials: access,
    forcePathStyle: true,
    maxAttempts: 1,
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: access.bucket }));
  } catch (error) {
    const isOurs =
      error instanceof S3ServiceException &&
      (error.name === 'BucketAlreadyOwnedByYou' || error.name === 'BucketAlreadyExists');
    if (!isOurs) throw error;
  } finally {
    client.destroy();
  }
  return true;
}
