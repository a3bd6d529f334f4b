/** Files as machines have them, many and odd, each line counted in the topic. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { appendFile, mkdir, open as openFile, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { judgeTopic } from '../../support/judge-topic.ts';
import { mayMount, mountForTest, tmpfsForTest } from '../../support/mounts.ts';
import { arrived, countRecords } from '../../support/read-topic.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost, peakMemoryBytes } from './agent-host.ts';

const EACH_ONCE_IN_ORDER = { missing: [], doubled: [], outOfOrder: 0 };
const MIB = 1024 * 1024;

async function judge(topic: string, written: number) {
  await arrived(topic, written);
  const { records: _, ...judgement } = await judgeTopic(topic, written);
  return judgement;
}

test('10,000 files that are all written to: each line once, in order, in bounded memory', async () => {
  const topic = await freshTopic({ partitions: 6 });
  const host = await agentHost({ app: { topic, defaultIntervals: true } });
  const agent = host.start();
  let written = 0;
  for (let round = 0; round < 5; round += 1) {
    for (let file = 0; file < 10_000; file += 1) {
      const line = `${file} ${(written += 1)} a line of a file that is not the only one\n`;
      appendFileSync(join(host.logs, 'app', `${file}.log`), line);
      if (file % 500 === 0) await setImmediate();
    }
  }
  expect(await judge(topic, written)).toEqual(EACH_ONCE_IN_ORDER);
  expect(await peakMemoryBytes(agent.pid)).toBeLessThan(400 * MIB);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  expect(await countRecords(topic)).toBe(written);
});

test('a directory of 50,000 files of others: the log in it is found, and another pipeline does not wait for it', async () => {
  const topics = { crowded: await freshTopic({ partitions: 1 }), other: await freshTopic({ partitions: 1 }) };
  const host = await agentHost({
    crowded: { topic: topics.crowded, defaultIntervals: true },
    other: { topic: topics.other, defaultIntervals: true },
  });
  for (let n = 0; n < 50_000; n += 1) {
    writeFileSync(join(host.logs, 'crowded', `message-${n}.eml`), '');
    if (n % 1_000 === 0) await setImmediate();
  }
  for (const name of ['crowded', 'other']) await appendFile(join(host.logs, name, 'app.log'), '0 1 first\n');
  const agent = host.start();
  expect(await judge(topics.other, 1)).toEqual(EACH_ONCE_IN_ORDER);
  expect(await judge(topics.crowded, 1)).toEqual(EACH_ONCE_IN_ORDER);
  for (const name of ['crowded', 'other']) await appendFile(join(host.logs, name, 'app.log'), '0 2 second\n');
  expect(await judge(topics.other, 2)).toEqual(EACH_ONCE_IN_ORDER);
  expect(await judge(topics.crowded, 2)).toEqual(EACH_ONCE_IN_ORDER);
  expect(await peakMemoryBytes(agent.pid)).toBeLessThan(250 * MIB);
});

test('a chain of names, the older ones compressed, the oldest deleted, a writer that keeps its file for two seconds: each line once', async () => {
  const topic = await freshTopic({ partitions: 3 });
  const host = await agentHost({ app: { topic, defaultIntervals: true } });
  const at = (name: string): string => join(host.logs, 'app', name);
  const agent = host.start();
  let written = 0;
  let open = await openFile(at('app.log'), 'a');
  const writeFor = async (file: number, ms: number): Promise<void> => {
    for (const untilMs = performance.now() + ms; performance.now() < untilMs; await delay(5)) {
      const lines = Array.from({ length: 20 }, () => `${file} ${(written += 1)} of a chain\n`);
      await open.appendFile(lines.join(''));
    }
  };
  let finished = 0;
  for (let file = 0; file < 5; file += 1) {
    await writeFor(file, 300);
    await arrived(topic, finished); // a log is compressed hours later, not before an agent could look at it
    // As logrotate does with `delaycompress` and `rotate 3`.
    await rm(at('app.log.3.gz'), { force: true });
    if (file > 1) await rename(at('app.log.2.gz'), at('app.log.3.gz'));
    if (file > 0) {
      await writeFile(at('app.log.2.gz'), gzipSync(await readFile(at('app.log.1'))));
      await rm(at('app.log.1'));
    }
    await rename(at('app.log'), at('app.log.1'));
    await writeFor(file, 2_000); // the signal to open the log again comes late
    await open.close();
    finished = written;
    open = await openFile(at('app.log'), 'a');
  }
  await open.close();
  expect(await judge(topic, written)).toEqual(EACH_ONCE_IN_ORDER);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  expect(await countRecords(topic)).toBe(written);
});

test.skipIf(!mayMount())(
  'two file systems with the same inode numbers, one of them bound to a second place: two files, each line once',
  async () => {
    const topic = await freshTopic({ partitions: 3 });
    const host = await agentHost({ app: { topic, include: '**/*.log*' } });
    const at = (name: string): string => join(host.logs, 'app', name);
    tmpfsForTest(at('a'), '1m');
    tmpfsForTest(at('b'), '1m');
    await mkdir(at('c'));
    await appendFile(at('a/app.log'), '0 1 the same beginning\n');
    await appendFile(at('b/app.log'), '1 2 the same beginning\n');
    expect((await stat(at('a/app.log'))).ino).toBe((await stat(at('b/app.log'))).ino);
    mountForTest(at('c'), '--bind', at('a'));
    const agent = host.start();
    expect(await judge(topic, 2)).toEqual(EACH_ONCE_IN_ORDER);
    await appendFile(at('c/app.log'), '0 3 by its other name\n');
    await appendFile(at('b/app.log'), '1 4\n');
    expect(await judge(topic, 4)).toEqual(EACH_ONCE_IN_ORDER);
    agent.signal('SIGTERM');
    expect(await agent.exited()).toMatchObject({ code: 0 });
    expect(await countRecords(topic)).toBe(4);
  },
);

test('a directory that is created later, renamed, and moved to another place within the globs: each line once', async () => {
  const topic = await freshTopic({ partitions: 3 });
  const host = await agentHost({ app: { topic, include: '**/*.log*' } });
  const at = (name: string): string => join(host.logs, 'app', name);
  const agent = host.start();
  await waitFor(() => host.status('app'), { timeoutMs: 60_000, what: 'the agent answers' });
  await mkdir(at('later/deep'), { recursive: true });
  await appendFile(at('later/deep/app.log'), '0 1\n');
  expect(await judge(topic, 1)).toEqual(EACH_ONCE_IN_ORDER);
  await rename(at('later'), at('renamed'));
  await appendFile(at('renamed/deep/app.log'), '0 2\n');
  expect(await judge(topic, 2)).toEqual(EACH_ONCE_IN_ORDER);
  await rename(at('renamed/deep'), at('moved'));
  await appendFile(at('moved/app.log'), '0 3\n');
  await mkdir(at('later'));
  await appendFile(at('later/app.log'), '1 4\n');
  expect(await judge(topic, 4)).toEqual(EACH_ONCE_IN_ORDER);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  expect(await countRecords(topic)).toBe(4);
});
