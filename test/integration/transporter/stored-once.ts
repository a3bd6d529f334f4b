import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { sharedStack } from '../../support/shared-stack.ts';
import type { SentRecord } from './steady-load.ts';
import { readS3Objects } from './transporter-files.ts';

/**
 * Every record of a topic of one partition is in one object, and the names tile the partition: those of a chunk have the offset at which it begins,
 * and hold what is from there to where the next one begins. Returns how many records each object has.
 */
export async function expectStoredOnce(
  prefix: string,
  sent: readonly SentRecord[],
): Promise<Map<string, number>> {
  const offsets = new Map(sent.map(({ value, offset }) => [value, offset]));
  const objects = [...(await readS3Objects(prefix))].map(([name, lines]) => ({
    name,
    start: Number(/(\d+)\.(?:log|jsonl)/.exec(name)![1]),
    offsets: lines.map((line) => offsets.get(valueOf(name, line)) ?? NaN),
  }));
  const stored = objects.flatMap((object) => object.offsets);
  const once = new Set(stored);
  const missing = sent.filter(({ offset }) => !once.has(offset));
  expect({ stored: stored.length, missing }).toEqual({ stored: sent.length, missing: [] });
  const starts = [...new Set(objects.map(({ start }) => start))].toSorted((a, b) => a - b);
  expect(starts[0]).toBe(0);
  for (const { name, start, offsets: held } of objects) {
    const end = starts[starts.indexOf(start) + 1] ?? Infinity;
    const outside = held.filter((offset, i) => offset < (held[i - 1] ?? start) || offset >= end);
    expect({ name, outside }).toEqual({ name, outside: [] });
  }
  return new Map(objects.map((object) => [object.name, object.offsets.length]));
}

const envelopeSchema = z.object({ value: z.string() });

function valueOf(name: string, line: string): string {
  return name.includes('.jsonl') ? envelopeSchema.parse(JSON.parse(line)).value : line;
}

export async function unfinishedUploads(prefix: string): Promise<number> {
  const { s3 } = sharedStack();
  const s3Client = new S3Client({ ...s3, credentials: s3, forcePathStyle: true });
  onTestFinished(() => s3Client.destroy());
  const listed = await s3Client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: prefix }));
  return listed.Uploads?.length ?? 0;
}
