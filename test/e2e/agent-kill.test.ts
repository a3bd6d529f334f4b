import { appendFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { agentFiles } from '../support/agent-files.ts';
import { countRecords, readTopic } from '../support/read-topic.ts';
import { startSkald } from '../support/run-skald.ts';
import { freshTopic } from '../support/shared-stack.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const ROUNDS = 6;
const LINES_A_STEP = 150;
const STEP_MS = 5;
const STEPS_A_FILE = 100;

/** An application that logs all the time and rotates by renaming. */
function startWriter(logs: string) {
  const log = join(logs, 'app.log');
  let lines = 0;
  let stopped = false;
  const run = async (): Promise<void> => {
    for (let step = 1; !stopped; step += 1) {
      const file = Math.floor(step / STEPS_A_FILE);
      const next = (): string => `file ${file} line ${(lines += 1)} ${'.'.repeat(lines % 200)}\n`;
      await appendFile(log, Array.from({ length: LINES_A_STEP }, next).join(''));
      if (step % STEPS_A_FILE === STEPS_A_FILE - 1) await rename(log, join(logs, `app.log.${file}`));
      await delay(STEP_MS);
    }
  };
  const running = run();
  return {
    stop: async (): Promise<number> => {
      stopped = true;
      await running;
      return lines;
    },
  };
}

it('kill -9 again and again while lines are written and files rotate: each line once, in order within its file', async () => {
  const topic = await freshTopic({ partitions: 6 });
  const { config, logs } = await agentFiles(await tempDir(), topic, {
    pipeline: 'partitioner:\n  stickyMs: 100\n  stickyBytes: 64KiB\n',
  });
  const writer = startWriter(logs);
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await countRecords(topic);
    const agent = startSkald(['agent', '-c', config]);
    await waitFor(async () => (await countRecords(topic)) > before || undefined, {
      timeoutMs: 30_000,
      what: `the first lines of round ${round} in Kafka`,
    });
    await delay(Math.random() * 200); // any moment will do, and each run tries others
    agent.signal('SIGKILL');
    await agent.exited();
  }
  const last = startSkald(['agent', '-c', config]);
  const written = await writer.stop();
  await waitFor(async () => (await countRecords(topic)) >= written || undefined, {
    timeoutMs: 30_000,
    what: `all ${written} lines in Kafka`,
  });
  last.signal('SIGTERM');
  expect((await last.exited()).code).toBe(0);

  const found = (await readTopic(topic)).map(({ partition, value }) => {
    const [, file, , line] = value.split(' ');
    return { key: `${partition} ${file}`, line: Number(line) };
  });
  expect(found.length).toBe(written);
  expect(new Set(found.map(({ line }) => line)).size).toBe(written);
  const lastLine = new Map<string, number>();
  for (const { key, line } of found) {
    expect(line).toBeGreaterThan(lastLine.get(key) ?? 0);
    lastLine.set(key, line);
  }
});
