import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { parseJournal } from '../../agent/checkpoint/journal-lines.ts';
import { seededRandom } from '../simulation/support/random.ts';
import { agentFiles } from '../support/agent-files.ts';
import { judgeTopic } from '../support/judge-topic.ts';
import { keepWriting, numberedLog } from '../support/numbered-log.ts';
import { arrived, countRecords } from '../support/read-topic.ts';
import { startSkald } from '../support/run-skald.ts';
import { freshTopic } from '../support/shared-stack.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const ROUNDS = 20;
const LINES_A_SECOND = 8_000;
const LONGEST_LIFE_MS = 250;

/** Where a process was killed, by what it has left in its journal and in the topic. */
type Step = 'no intent open' | 'intent written, batch not in the topic' | 'batch in the topic, no commit';

/** Records of the intents that are open in a journal, and of those that it saw committed. */
async function recordsIn(journal: string): Promise<{ open: number; committed: number }> {
  const open = new Map<number, number>();
  let committed = 0;
  for (const entry of parseJournal(await readFile(journal)).entries) {
    if (entry.t === 'intent') open.set(entry.n, entry.records);
    if (entry.t === 'commit') committed += open.get(entry.n) ?? 0;
    if (entry.t === 'commit') open.delete(entry.n);
  }
  return { open: [...open.values()].reduce((sum, records) => sum + records, 0), committed };
}

test('kill -9 again and again while lines are written and files rotate: each line once, in order within its file', async () => {
  const seed = Date.now() % 100_000;
  const random = seededRandom(seed);
  const topic = await freshTopic({ partitions: 6 });
  const { config, logs, stateDir } = await agentFiles(await tempDir(), topic, {
    pipeline: 'partitioner:\n  stickyMs: 100\n  stickyBytes: 64KiB\n',
  });
  const journal = join(stateDir, 'pipelines', 'app', 'journal');
  const log = numberedLog(join(logs, 'app.log'));
  const writer = keepWriting(log, LINES_A_SECOND);
  const steps: Step[] = [];
  let committed = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = await countRecords(topic);
    const agent = startSkald(['agent', '-c', config]);
    await waitFor(async () => (await countRecords(topic)) > before || undefined, {
      timeoutMs: 60_000,
      what: `the first lines of round ${round} in Kafka`,
    });
    await delay(random() * LONGEST_LIFE_MS);
    agent.signal('SIGKILL');
    await agent.exited();
    const left = await recordsIn(journal);
    committed += left.committed;
    const isThere = (await countRecords(topic)) > committed;
    steps.push(
      left.open === 0
        ? 'no intent open'
        : isThere
          ? 'batch in the topic, no commit'
          : 'intent written, batch not in the topic',
    );
    if (round % 4 === 0) log.rename(join(logs, `app.log.${round}`));
  }
  const last = startSkald(['agent', '-c', config]);
  const written = await writer.stop();
  await arrived(topic, written);
  last.signal('SIGTERM');
  expect((await last.exited()).code).toBe(0);
  expect(await judgeTopic(topic, written), `seed ${seed}, killed at: ${steps.join('; ')}`).toEqual({
    records: written,
    missing: [],
    doubled: [],
    outOfOrder: 0,
  });
  // Were no batch ever on its way, the rounds would prove nothing. Each step by itself: test/simulation/agent.
  expect(steps).toContain('batch in the topic, no commit');
  log.close();
});
