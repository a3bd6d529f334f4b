/** What a record is, with real files and brokers; read back with Apache's console consumer. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { arrived, readValues } from '../../support/read-topic.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type AgentHost, agentHost, peakMemoryBytes } from './agent-host.ts';

const KIB = 1024;
const MIB = 1024 ** 2;

/** Between the records that the console consumer prints: none of the records holds it. */
const SEPARATOR = '<end of record>';

async function recordsIn(topic: string): Promise<string[]> {
  const printed = await readValues(topic, undefined, [`line.separator=${SEPARATOR}`]);
  return printed.toString('latin1').split(SEPARATOR).slice(0, -1);
}

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

function frame(value: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return Buffer.concat([length, value]);
}

/** Each kind of file, its framing, and the records that it holds by definition. */
const BINARY = Buffer.from([0x00, 0xff, 0x0a, 0xc3, 0x28, 0x0d, 0x0a, 0x00]);
const TRACE = '2026-01-01T00:00:00 ERROR größer\n  at a (b.js:1)\nCaused by: x\n  at c (d.js:2)';
/** The record that tells that the one before it is complete. Nothing tells it of this one. */
const NOT_DONE = '2026-01-01T00:00:02 INFO and\n  more';
const KINDS = {
  crlf: {
    yaml: 'framing: { stripCarriageReturn: true }\n',
    content: Buffer.from('one\r\n\r\ntwo\rthree\r\r\nfour\n'),
    records: ['one', '', 'two\rthree\r', 'four'],
  },
  untouched: {
    yaml: '',
    content: Buffer.concat([BINARY, Buffer.from('\r\n')]),
    records: ['\0\xff', '\xc3\x28\r', '\0\r'],
  },
  nul: {
    yaml: 'framing: { delimiter: "\\0" }\n',
    content: Buffer.from('one\ntwo\0\0three\0'),
    records: ['one\ntwo', '', 'three'],
  },
  'utf-16-little': {
    yaml: 'framing: { encoding: utf-16, stripCarriageReturn: true }\n',
    content: Buffer.from('\ufeffGröße 😀\r\nzwei\r\n', 'utf16le'),
    records: [latin1('Größe 😀'), 'zwei'],
  },
  'utf-16-big': {
    yaml: 'framing: { encoding: utf-16 }\n',
    content: Buffer.from('\ufeffGröße 😀\nzwei\n', 'utf16le').swap16(),
    records: [latin1('Größe 😀'), 'zwei'],
  },
  traces: {
    yaml: "framing: { type: multiline, startPattern: '^\\d{4}-\\d{2}-\\d{2}T', timeoutMs: 10m }\n",
    content: Buffer.from(`${TRACE}\n2026-01-01T00:00:01 INFO fine\n${TRACE}\n${NOT_DONE}`),
    records: [latin1(TRACE), '2026-01-01T00:00:01 INFO fine', latin1(TRACE)],
  },
  continued: {
    yaml: "framing: { type: multiline, continuePattern: '^[ \\t]|^Caused by: ', timeoutMs: 10m }\n",
    content: Buffer.from(`${TRACE}\nfine\n${TRACE}\n${NOT_DONE}`),
    records: [latin1(TRACE), 'fine', latin1(TRACE)],
  },
  thrift: {
    yaml: 'framing: { type: length-prefixed }\n',
    content: Buffer.concat([frame(BINARY), frame(Buffer.alloc(0)), frame(Buffer.alloc(70_000, 0x0a))]),
    records: [BINARY.toString('latin1'), '', '\n'.repeat(70_000)],
  },
} as const;

test('every framing, each file written in pieces that end anywhere, over two restarts', async () => {
  const topics = new Map<string, string>();
  for (const name of Object.keys(KINDS)) topics.set(name, await freshTopic({ partitions: 1 }));
  const host = await agentHost(
    Object.fromEntries(
      Object.entries(KINDS).map(([name, { yaml }]) => [name, { topic: topics.get(name)!, yaml }]),
    ),
  );
  const kinds = Object.entries(KINDS);
  const writePiece = async (from: number, to: number): Promise<void> => {
    for (const [name, { content }] of kinds) {
      const [start, end] = [from, to].map((share) => Math.floor(content.length * share));
      await appendFile(join(host.logs, name, 'app.log'), content.subarray(start, end));
    }
  };
  const shares = [0, 0.1, 0.23, 0.37, 0.52, 0.71, 0.93, 1];
  let agent = host.start();
  for (const [i, share] of shares.slice(1).entries()) {
    await writePiece(shares[i]!, share);
    await sawAllOf(host, share);
    if (i !== 1 && i !== 4) continue;
    agent.signal(i === 1 ? 'SIGKILL' : 'SIGTERM');
    await agent.exited();
    agent = host.start();
  }
  for (const [name, { records }] of kinds) await arrived(topics.get(name)!, records.length);
  const found = await Promise.all(kinds.map(async ([name]) => [name, await recordsIn(topics.get(name)!)]));
  expect(Object.fromEntries(found)).toEqual(
    Object.fromEntries(kinds.map(([name, { records }]) => [name, [...records]])),
  );
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
});

/** Waits until the agent has looked at what was written, so that it reads it in pieces. */
async function sawAllOf(host: AgentHost, share: number): Promise<void> {
  await waitFor(
    async () => {
      for (const [name, { content }] of Object.entries(KINDS)) {
        const file = (await host.status(name))?.files[0];
        if (file === undefined || file.sizeBytes < Math.floor(content.length * share)) return false;
      }
      return true;
    },
    { timeoutMs: 30_000, what: `a look at ${share * 100} % of each file` },
  );
}

test('the last record of several lines arrives when its file has been quiet', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const yaml = "framing: { type: multiline, startPattern: '^\\d{4}-', timeoutMs: 700ms }\n";
  const host = await agentHost({ app: { topic, yaml, defaultIntervals: true } });
  const log = join(host.logs, 'app', 'app.log');
  const agent = host.start();
  for (const count of [1, 2, 3]) {
    await appendFile(log, `${TRACE}\n`);
    await arrived(topic, count);
  }
  expect(await recordsIn(topic)).toEqual([latin1(TRACE), latin1(TRACE), latin1(TRACE)]);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
});

test('lines of the size of a batch and of the largest record, one byte less and one more, and a line of 1 MiB', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const batchBytes = 64 * KIB;
  const maxRecordBytes = 200 * KIB;
  const host = await agentHost({
    app: {
      topic,
      kafka: [`batchBytes: ${batchBytes}`],
      yaml: `framing: { maxRecordBytes: ${maxRecordBytes} }\n`,
    },
  });
  const sizes = [batchBytes, maxRecordBytes].flatMap((size) => [size - 1, size, size + 1]);
  const lines = [...sizes, MIB, 5].map((size, i) => String(i).repeat(size));
  await writeFile(join(host.logs, 'app', 'app.log'), `${lines.join('\n')}\n`);
  const agent = host.start();
  const expected = lines.flatMap((line) =>
    Array.from({ length: Math.ceil(line.length / maxRecordBytes) }, (_, i) =>
      line.slice(i * maxRecordBytes, (i + 1) * maxRecordBytes),
    ),
  );
  await arrived(topic, expected.length);
  const found = await recordsIn(topic);
  expect(found.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  expect(found.every((record, i) => record === expected[i])).toBe(true);
  expect(await host.metric('skald_agent_oversized_records_total', { policy: 'split' })).toBe(2);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
});

test('a line, and a record with its length in front, of 100 MiB: each policy holds, in bounded memory', async () => {
  const policies = ['split', 'truncate', 'drop'] as const;
  const names = policies.flatMap((policy) => [`line-${policy}`, `frame-${policy}`]);
  const topics = new Map<string, string>();
  for (const name of names) topics.set(name, await freshTopic({ partitions: 1 }));
  const host = await agentHost(
    Object.fromEntries(
      names.map((name) => {
        const [kind, oversize] = name.split('-');
        const type = kind === 'line' ? 'newline' : 'length-prefixed, maxFrameBytes: 200MiB';
        return [
          name,
          { topic: topics.get(name)!, yaml: `framing: { type: ${type}, oversize: ${oversize} }\n` },
        ];
      }),
    ),
    { agent: 'limits:\n  memoryBytes: 16MiB\n' },
  );
  const long = Buffer.alloc(100 * MIB, Array.from({ length: 1_000 }, (_, i) => 10_000 + i).join(''));
  const after = Buffer.from('after');
  for (const name of names) {
    const isLine = name.startsWith('line');
    const parts = isLine ? [long, '\n', after, '\n'] : [frame(long), frame(after)];
    for (const part of parts) await appendFile(join(host.logs, name, 'app.log'), part);
  }
  const agent = host.start();
  const pieces = Math.ceil(long.length / 1_024_000);
  for (const name of names) {
    await arrived(topics.get(name)!, { split: pieces, truncate: 1, drop: 0 }[name.split('-')[1]!]! + 1);
  }
  expect(await peakMemoryBytes(agent.pid)).toBeLessThan(260 * MIB);
  for (const name of names) {
    const found = await recordsIn(topics.get(name)!);
    expect(found.pop()).toBe('after');
    const bytes = { split: long.length, truncate: 1_024_000, drop: 0 }[name.split('-')[1]!]!;
    expect(Buffer.from(found.join(''), 'latin1').equals(long.subarray(0, bytes))).toBe(true);
  }
  for (const policy of policies) {
    expect(await host.metric('skald_agent_oversized_records_total', { policy })).toBe(2);
  }
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
});
