/** A whole worker on a folder whose disk is full, read-only or away; at the end every record is counted. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { findFreePorts } from '../../../scripts/stack/ports.ts';
import { mayMount, tmpfsForTest } from '../../support/mounts.ts';
import { startSkald } from '../../support/run-skald.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { committedOffsets, isCarried, kafka, readObjects, transporterFile } from './transporter-files.ts';

const PATIENCE_MS = 90_000;
const TIMESTAMP_MS = Date.parse('2026-07-31T12:00:00Z');

it.skipIf(!mayMount())(
  'a full disk, a killed worker, a read-only disk, a folder that vanishes: every record is in the folder once',
  async () => {
    const topic = await freshTopic({ partitions: 1 });
    const [group, directory] = [uniqueName('group'), await tempDir()];
    const port = (await findFreePorts(1))[0]!;
    const disk = join(directory, 'disk');
    const folder = join(disk, 'objects');
    tmpfsForTest(disk, '1m');
    const file = await transporterFile(directory, 'worker', {
      topic,
      group,
      prefix: 'logs',
      objects: ['codec: none'],
      settings: ['success: false'], // only records are counted
      status: `\n  port: ${port}`,
      store: `store:\n  type: local\n  directory: ${folder}\n`,
    });
    const producer = kafka().producer();
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    const sent: string[] = [];
    const produce = async (): Promise<void> => {
      const values = Array.from({ length: 100 }, (_, i) => `${sent.length + i} `.padEnd(400, 'x'));
      sent.push(...values);
      const timestamp = String(TIMESTAMP_MS);
      await producer.send({ topic, messages: values.map((value) => ({ value, timestamp })) });
    };
    const complains = (errno: string): Promise<unknown> =>
      waitFor(async () => (await (await fetch(`http://127.0.0.1:${port}/readyz`)).text()).includes(errno), {
        timeoutMs: PATIENCE_MS,
        what: `the worker is not ready because of ${errno}`,
      });
    const carried = (): Promise<unknown> =>
      waitFor(() => isCarried(group, topic), { timeoutMs: PATIENCE_MS, what: 'everything is committed' });

    await mkdir(folder);
    const objects = join(folder, 'logs', topic, 'dt=2026-07-31', 'hr=12');
    const filler = join(disk, 'filler');
    const killed = startSkald(['transporter', '-c', file]);
    await produce();
    await carried();

    await writeFile(filler, Buffer.alloc(1024 ** 2)).catch(() => {}); // as far as it goes
    await produce();
    await complains('ENOSPC');
    killed.signal('SIGKILL');
    await killed.exited();
    await rm(filler);
    // What a worker leaves that is killed while it writes an object, or its metadata.
    const [promised] = await committedOffsets(group, topic);
    const name = `0-${promised!.offset}.log`;
    await writeFile(join(objects, `.${name}.part-7d0c9a4e`), 'half an object');
    await writeFile(join(objects, `..${name}.meta.json.part-7d0c9a4e`), '{"skald-');
    startSkald(['transporter', '-c', file]);
    await carried();
    expect(await readdir(objects)).toContain(name);
    expect((await readdir(objects)).filter((file) => file.includes('.part-'))).toEqual([]);

    execFileSync('mount', ['-o', 'remount,ro', disk]);
    await produce();
    await complains('EROFS');
    execFileSync('mount', ['-o', 'remount,rw', disk]);
    await carried();

    await rename(folder, join(disk, 'away'));
    await produce();
    await complains('ENOENT');
    expect(await readdir(disk)).toEqual(['away']);
    await rename(join(disk, 'away'), folder);
    await carried();

    expect([...(await readObjects(folder)).values()].flat().toSorted()).toEqual(sent.toSorted());
  },
  240_000,
);
