import { expect, it } from 'vitest';
import { type RunningSkald, startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { transporterFile } from './transporter-files.ts';

interface Joined {
  generation: number;
  partitions: number;
}

/** What a worker's log says of each generation that it has joined. */
function joinedBy(worker: RunningSkald): Joined[] {
  return worker
    .stderr()
    .split('\n')
    .filter((line) => line.includes('"joined the group"'))
    .map((line): Joined => JSON.parse(line));
}

it('a worker that is killed and back within the session time-out has its partitions again, and nobody rebalances', async () => {
  const directory = await tempDir();
  const file = {
    topic: await freshTopic({ partitions: 4 }),
    group: uniqueName('group'),
    prefix: freshPrefix(),
    session: '120s', // however long a start takes
  };
  const start = async (name: string): Promise<RunningSkald> =>
    startSkald(['transporter', '-c', await transporterFile(directory, name, file)]);
  const shares = async (workers: RunningSkald[]): Promise<number> =>
    waitFor(
      () => {
        const last = workers.map((worker) => joinedBy(worker).at(-1));
        const [first] = last;
        const settled = last.every((one) => one?.generation === first?.generation && one?.partitions === 2);
        return settled && first !== undefined && first.generation;
      },
      { timeoutMs: 90_000, what: 'two partitions for each of two workers in one generation' },
    );

  const stays = await start('worker-a');
  const killed = await start('worker-b');
  const before = await shares([stays, killed]);
  const joinsBefore = joinedBy(stays).length;
  killed.signal('SIGKILL');
  await killed.exited();
  const back = await start('worker-b');
  expect(await shares([stays, back])).toBe(before);
  expect(joinedBy(stays).length).toBe(joinsBefore);
});
