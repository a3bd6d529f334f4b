import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import type { SharedStack } from '../../support/global-setup.ts';
import { unzstd } from '../../support/command-line-tools.ts';
import { sharedStack } from '../../support/shared-stack.ts';
import { uniqueName } from '../../support/unique-name.ts';

export interface TransporterFile {
  topic: string;
  group: string;
  prefix: string;
  rack?: string;
  /** YAML of the store; the stack's S3 when absent. */
  store?: string;
  /** YAML keys of the stack's S3, such as `partBytes: 5MiB`. */
  s3?: string[];
  /** Instead of the shared one. */
  stack?: Pick<SharedStack, 'bootstrap' | 's3'>;
  /** YAML of the status server; none when absent. */
  status?: string;
  /** YAML keys of a chunk, instead of those that cut it soon. */
  chunk?: string[];
  /** YAML keys of the objects, such as `codec: gzip`. */
  objects?: string[];
  /** 6s when absent, the least that a broker allows by default. */
  session?: string;
  /** YAML keys of the whole file, such as `leaveOnStop: true`. */
  settings?: string[];
}

/** Writes the small file that a user writes, with chunks that are cut soon, and returns its path. */
export async function transporterFile(
  directory: string,
  name: string,
  file: TransporterFile,
): Promise<string> {
  const { bootstrap, s3 } = file.stack ?? sharedStack();
  const path = join(directory, `${name}.yaml`);
  const store =
    file.store ??
    `store:
  type: s3
  bucket: ${s3.bucket}
  endpoint: ${s3.endpoint}
  region: ${s3.region}
  forcePathStyle: true
  accessKeyId: ${s3.accessKeyId}
  secretAccessKey: ${s3.secretAccessKey}
${indented(file.s3 ?? [])}`;
  await writeFile(
    path,
    `cluster:
  brokers: ${JSON.stringify(bootstrap)}
group: ${file.group}
member: ${name}
rack: ${file.rack ?? 'rack-a'}
topics:
  - topic: ${file.topic}
objects:
  prefix: ${file.prefix}
${indented(file.objects ?? [])}chunk:
${indented(file.chunk ?? ['maxBytes: 64KiB', 'maxAgeMs: 1s'])}sessionTimeoutMs: ${file.session ?? '6s'}
heartbeatIntervalMs: 500ms
status: ${file.status ?? 'false'}
${(file.settings ?? []).map((line) => `${line}\n`).join('')}${store}`,
  );
  return path;
}

function indented(lines: string[]): string {
  return lines.map((line) => `  ${line}\n`).join('');
}

/** Every object below a folder with its lines, read by the command-line tool of its codec. */
export async function readObjects(folder: string): Promise<Map<string, string[]>> {
  const objects = new Map<string, string[]>();
  if (!existsSync(folder)) return objects;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || /^[._]/.test(entry.name)) continue; // _SUCCESS and the like hold no records
    const path = join(entry.parentPath, entry.name);
    objects.set(path.slice(folder.length + 1), await linesOf(path));
  }
  return objects;
}

async function linesOf(path: string): Promise<string[]> {
  const bytes = readFileSync(path);
  const text = path.endsWith('.zst') ? await unzstd(bytes) : path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  return text.toString().split('\n').slice(0, -1);
}

/** Objects of the stack's S3 below a prefix: they are plain files. */
export async function readS3Objects(prefix: string): Promise<Map<string, string[]>> {
  const { objectsDir, s3 } = sharedStack();
  return readObjects(join(objectsDir, s3.bucket, prefix));
}

export function kafka(bootstrap: readonly string[] = sharedStack().bootstrap): Kafka {
  return new Kafka({ brokers: [...bootstrap], logLevel: logLevel.NOTHING });
}

/** What a broker allows by default. */
const TRANSACTION_TIMEOUT_MS = 900_000;

/** A producer of transactions, connected. */
export async function transactionalProducer(): Promise<Producer> {
  const transactionalId = uniqueName('tx');
  const producer = kafka().producer({
    transactionalId,
    transactionTimeout: TRANSACTION_TIMEOUT_MS,
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  return producer;
}

/** The committed offsets of a group in a topic, as kafkajs reads them; partitions without one are left out. */
export async function committedOffsets(
  group: string,
  topic: string,
  bootstrap?: readonly string[],
): Promise<{ partition: number; offset: number; metadata: string }[]> {
  const admin = kafka(bootstrap).admin();
  await admin.connect();
  try {
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    return (found?.partitions ?? [])
      .map(({ partition, offset, metadata }) => ({
        partition,
        offset: Number(offset),
        metadata: metadata ?? '',
      }))
      .filter(({ offset }) => offset >= 0);
  } finally {
    await admin.disconnect();
  }
}

/** Whether the group has committed everything that is in the topic, with no intent left open. */
export async function isCarried(
  group: string,
  topic: string,
  bootstrap?: readonly string[],
): Promise<boolean> {
  const admin = kafka(bootstrap).admin();
  await admin.connect();
  try {
    const ends = await admin.fetchTopicOffsets(topic);
    const committed = new Map(
      (await committedOffsets(group, topic, bootstrap)).map((found) => [found.partition, found]),
    );
    return ends.every(({ partition, high }) => {
      const found = committed.get(partition);
      return found?.offset === Number(high) && !found.metadata.includes('"skald"');
    });
  } finally {
    await admin.disconnect();
  }
}
