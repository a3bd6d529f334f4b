import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { unzstd } from '../../support/command-line-tools.ts';
import { startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import {
  committedOffsets,
  isCarried,
  kafka,
  transactionalProducer,
  transporterFile,
} from './transporter-files.ts';

/** The hour of event number n: records of one batch belong into three. */
const eventTime = (n: number): string => new Date(Date.UTC(2026, 6, 31, 10 + (n % 3), 30)).toISOString();
const event = (n: number): string => JSON.stringify({ n, at: eventTime(n), text: `event ${n} é` });

/** What Skald writes for events, in each format. */
const TIME = 'time: {type: json, field: at, otherwise: quarantine}';
const FORMATS = {
  lines: ['format: lines', TIME],
  jsonl: ['format: jsonl', TIME],
  parquet: ['format: parquet', TIME, 'columns: [{name: n, type: int64}, {name: at, type: timestamp}]'],
} as const;

/** A record of an object, or of the quarantine, and the name of the object. */
interface Found {
  name: string;
  n: number | string;
  offset: number | undefined;
}

/** Every record below a prefix of the stack's store, read by the zstd tool and by DuckDB. */
async function everyRecord(prefix: string): Promise<Found[]> {
  const { objectsDir, s3 } = sharedStack();
  const folder = join(objectsDir, s3.bucket, prefix);
  const found: Found[] = [];
  if (!existsSync(folder)) return found;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || /^[._]/.test(entry.name)) continue; // _SUCCESS and the like hold no records
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    const records = name.endsWith('.parquet') ? await parquetRecords(path) : await textRecords(path);
    found.push(...records.map((record) => ({ ...record, name })));
  }
  return found;
}

const rowSchema = z.object({
  offset: z.coerce.number(),
  n: z.coerce.number(),
  value: z.string(),
  at: z.string(),
});

async function parquetRecords(path: string): Promise<Omit<Found, 'name'>[]> {
  const database = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await database.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const result = await connection.runAndReadAll(
      `select "offset", n, value, strftime("at", '%Y-%m-%dT%H:%M:%S.%gZ') as at from '${path}'`,
    );
    return z
      .array(rowSchema)
      .parse(result.getRowObjectsJson())
      .map(({ offset, n, value, at }) => {
        expect({ value, at }).toEqual({ value: event(n), at: eventTime(n) });
        return { offset, n };
      });
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}

const lineSchema = z.object({ offset: z.number(), value: z.string() });
const refusedSchema = z.object({ offset: z.number(), reason: z.string(), valueBase64: z.base64() });
const eventSchema = z.object({ n: z.number() });

async function textRecords(path: string): Promise<Omit<Found, 'name'>[]> {
  const lines = (await unzstd(await readFile(path))).toString().split('\n').slice(0, -1);
  const numberOf = (value: string): number => eventSchema.parse(JSON.parse(value)).n;
  if (path.endsWith('.log.zst')) return lines.map((value) => ({ offset: undefined, n: numberOf(value) }));
  return lines.map((line) => {
    const json: unknown = JSON.parse(line);
    if (path.includes('/quarantine/')) {
      const { offset, valueBase64 } = refusedSchema.parse(json);
      return { offset, n: Buffer.from(valueBase64, 'base64').toString() };
    }
    const { offset, value } = lineSchema.parse(json);
    return { offset, n: numberOf(value) };
  });
}

const byText = (a: unknown, b: unknown): number =>
  String(a) < String(b) ? -1 : Number(String(a) > String(b));

describe('of transactions, what was committed and nothing of what was aborted', () => {
  it.each(['lines', 'jsonl', 'parquet'] as const)(
    'is carried as %s, and what does not fit is quarantined',
    async (format) => {
      const topic = await freshTopic({ partitions: 1 });
      const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
      const producer = await transactionalProducer();
      const committed: (number | string)[] = [];
      let offset = 0;
      const offsets: number[] = [];
      const poisonOffsets: number[] = [];
      for (const [round, ending] of ['commit', 'abort', 'commit', 'abort'].entries()) {
        const transaction = await producer.transaction();
        const numbers = Array.from({ length: 50 }, (_, i) => round * 100 + i);
        const poison = `no event ${round}`;
        const messages = [...numbers.map((n) => ({ value: event(n) })), { value: poison }];
        await transaction.send({ topic, messages });
        await (ending === 'commit' ? transaction.commit() : transaction.abort());
        if (ending === 'commit') {
          committed.push(...numbers, poison);
          offsets.push(...messages.map((_, i) => offset + i));
          poisonOffsets.push(offset + numbers.length);
        }
        offset += messages.length + 1; // the transaction's marker takes an offset
      }
      await producer.disconnect();
      const file = { topic, group, prefix, objects: [...FORMATS[format]] };
      startSkald(['transporter', '-c', await transporterFile(directory, 'tx', file)]);
      await waitFor(() => isCarried(group, topic), { timeoutMs: 90_000, what: 'everything is committed' });
      const found = await everyRecord(prefix);
      expect(found.map(({ n }) => n).toSorted(byText)).toEqual(committed.toSorted(byText));
      const places = found.map((record) => record.offset).filter((place) => place !== undefined);
      expect(places.toSorted((a, b) => a - b)).toEqual(format === 'lines' ? poisonOffsets : offsets);
      for (const { name, n } of found) {
        const folder =
          typeof n === 'string' ? 'quarantine' : `dt=2026-07-31/hr=${eventTime(n).slice(11, 13)}`;
        expect(name).toContain(`${folder}/`);
      }
    },
  );
});

it('a worker is killed -9 again and again and comes back with another format each time: every record is there once', async () => {
  const topic = await freshTopic({ partitions: 4 });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const committed = async (): Promise<number> =>
    (await committedOffsets(group, topic)).reduce((sum, { offset }) => sum + offset, 0);
  const producer = kafka().producer();
  await producer.connect();
  const sent: (number | string)[] = [];
  const round = async (): Promise<void> => {
    const numbers = Array.from({ length: 400 }, (_, i) => sent.length + i);
    const values = numbers.map((n) => (n % 97 === 0 ? `no event ${n}` : event(n)));
    sent.push(...numbers.map((n) => (n % 97 === 0 ? `no event ${n}` : n)));
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
  };

  for (const format of ['jsonl', 'parquet', 'lines', 'parquet', 'jsonl'] as const) {
    const objects = [...FORMATS[format], ...(format === 'lines' ? ['level: 9'] : [])];
    const file = await transporterFile(directory, 'worker', { topic, group, prefix, objects });
    const before = await committed();
    const worker = startSkald(['transporter', '-c', file]);
    const isMoving = { timeoutMs: 40_000, what: 'chunks are committed' };
    await round();
    await waitFor(async () => {
      await round();
      return (await committed()) > before;
    }, isMoving);
    worker.signal('SIGKILL');
    await worker.exited();
  }
  await producer.disconnect();
  const file = { topic, group, prefix, objects: [...FORMATS.jsonl] };
  startSkald(['transporter', '-c', await transporterFile(directory, 'worker', file)]);
  await waitFor(() => isCarried(group, topic), { timeoutMs: 60_000, what: 'everything is committed' });

  const found = await everyRecord(prefix);
  expect(found.map(({ n }) => n).toSorted(byText)).toEqual(sent.toSorted(byText));
  const endings = new Set(found.map(({ name }) => name.replace(/^.*\/[^.]*/, '')));
  expect([...endings].toSorted()).toEqual(['.jsonl.zst', '.log.zst', '.parquet']);
}, 240_000);
