import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { processCost, sessionCost, threadTimes } from '../../../bench/process-cost.ts';

/** A shell that leads a session, burns CPU in itself and in a child, says so and then stays as it is. */
async function busySession(): Promise<number> {
  const burn = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done';
  const child = spawn('sh', ['-c', `sh -c '${burn}; echo done; kill -STOP $$' & ${burn}; echo done; wait`], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void process.kill(-child.pid!, 'SIGKILL'));
  for (let said = ''; said.length < 'done\ndone\n'.length;)
    said += String((await once(child.stdout, 'data'))[0]);
  return child.pid!;
}

/** `cputimes` and `rss` of ps(1), in seconds and KiB. */
function byPs(selection: readonly string[]): { cpuSeconds: number; rssKib: number } {
  const lines = execFileSync('ps', ['-o', 'cputimes=,rss=', ...selection], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const rows = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return {
    cpuSeconds: rows.reduce((sum, [cpu]) => sum + cpu!, 0),
    rssKib: rows.reduce((sum, [, rss]) => sum + rss!, 0),
  };
}

test('a process and its session cost what ps says of them', async () => {
  const pid = await busySession();
  const [own, all] = [await processCost(pid), await sessionCost(pid)];
  const [ownByPs, allByPs] = [byPs(['-p', String(pid)]), byPs(['-s', String(pid)])];
  // ps cuts off fractions of a second, of each process.
  expect(Math.abs(own.cpuSeconds - ownByPs.cpuSeconds)).toBeLessThan(1.1);
  expect(Math.abs(all.cpuSeconds - allByPs.cpuSeconds)).toBeLessThan(3.1);
  expect(all.cpuSeconds).toBeGreaterThan(own.cpuSeconds);
  expect(all.peakMemoryBytes).toBeGreaterThanOrEqual(allByPs.rssKib * 1024);
});

test("the times of a process's threads add up to its own", async () => {
  const threads = await threadTimes(process.pid);
  const sum = threads.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0);
  const { user, system } = process.cpuUsage();
  expect(sum).toBeGreaterThan(0);
  expect(sum).toBeLessThanOrEqual((user + system) / 1e6 + 0.5);
  expect(threads.map(({ name }) => name)).toContain('1 main');
});
