/** The S3 server of the shared stack, seen by the AWS SDK or through a proxy with faults, until the test is over. */
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { onTestFinished } from 'vitest';
import { type S3FaultProxy, startS3FaultProxy } from './s3-fault-proxy.ts';
import { sharedStack } from './shared-stack.ts';

export function sharedS3Client(): S3Client {
  const { s3 } = sharedStack();
  const client = new S3Client({ ...s3, credentials: s3, forcePathStyle: true });
  onTestFinished(() => client.destroy());
  return client;
}

/** Keys of what was begun and neither completed nor aborted. */
export async function unfinishedUploads(prefix: string, bucket = sharedStack().s3.bucket): Promise<string[]> {
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix });
  const { Uploads = [] } = await sharedS3Client().send(command);
  return Uploads.map(({ Key = '' }) => Key);
}

export async function sharedS3FaultProxy(): Promise<S3FaultProxy> {
  const proxy = await startS3FaultProxy(sharedStack().s3.endpoint);
  onTestFinished(() => proxy.close());
  return proxy;
}
