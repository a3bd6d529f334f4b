import { readdirSync, readFileSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, onTestFailed, onTestFinished, test } from 'vitest';
import { spawnWithLifeline } from '../../scripts/stack/lifeline.ts';
import { isFree } from '../../scripts/stack/ports.ts';
import { projectRoot } from '../../scripts/stack/project-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const DEMO = join(projectRoot(), 'dist', 'scripts', 'demo', 'main.js');
const RUN_TIMEOUT_MS = 150_000;
/** What "within seconds" means on a busy machine with two cores. */
const CLEAN_TIMEOUT_MS = 15_000;

/** Starts the demo with a temporary directory of its own, which also marks every process that it starts. */
async function startDemo(args: readonly string[]) {
  const temp = await tempDir();
  const { child, release } = spawnWithLifeline(process.execPath, [DEMO, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temp },
  });
  const output = { out: '', err: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (output.out += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (output.err += text));
  let exit: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  child.once('exit', release);
  child.once('close', (code, signal) => {
    exit = { code, signal };
  });
  const shown = (): string => `${output.out}\n${output.err}`;
  const exited = () =>
    waitFor(() => exit, { timeoutMs: RUN_TIMEOUT_MS, what: 'the demo ends' }).catch((error: unknown) => {
      throw new Error(shown(), { cause: error });
    });
  onTestFailed(() => void process.stderr.write(shown()));
  onTestFinished(async () => {
    if (exit === undefined) child.kill('SIGKILL');
    await exited();
  });
  return {
    temp,
    output,
    exited,
    signal: (name: NodeJS.Signals) => child.kill(name),
    /** Until the output matches; returns the match. */
    says: (pattern: RegExp) =>
      waitFor(() => pattern.exec(output.out), {
        timeoutMs: RUN_TIMEOUT_MS,
        what: `the demo says ${pattern}`,
      }).catch((error: unknown) => {
        throw new Error(shown(), { cause: error });
      }),
  };
}

type Demo = Awaited<ReturnType<typeof startDemo>>;

/** Processes that have the demo's temporary directory in their environment (proc(5)). */
function processesOf({ temp }: Demo): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`TMPDIR=${temp}\0`);
      } catch {
        return false;
      }
    });
}

/** Every port of the loopback address that the demo spoke of. */
function portsOf({ output }: Demo): number[] {
  return [...output.out.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
}

/** What is still there of the demo when it had time to go: nothing, as it should be. */
async function leftBy(demo: Demo, keptFiles = 0) {
  const look = () => ({ processes: processesOf(demo), files: readdirSync(demo.temp) });
  await waitFor(() => look().processes.length === 0 && look().files.length === keptFiles, {
    timeoutMs: CLEAN_TIMEOUT_MS,
    what: 'no process and no file of the demo is left',
  }).catch(() => {});
  const ports: number[] = [];
  for (const port of portsOf(demo)) if (!(await isFree(port))) ports.push(port);
  return { ...look(), ports };
}

const NOTHING = { processes: [], files: [], ports: [] };

describe('npm run demo', () => {
  test('carries generated lines exactly once, says what it cost, and leaves nothing', async () => {
    const demo = await startDemo(['--lines', '20000']);

    expect(await demo.exited()).toEqual({ code: 0, signal: null });

    const { out } = demo.output;
    expect(out).toMatch(/^all +20,000 +20,000 +0 +0/m);
    expect(out).toContain('every line exactly once: 20,000 lines of 6 file(s)');
    for (const name of ['agent-a', 'agent-b', 'worker-a', 'worker-b'])
      expect(out).toContain(`${name} is ready`);
    expect(out).toMatch(/^compression +\d+\.\d : 1 by the agents, \d+\.\d : 1 in the objects$/m);
    expect(out).toMatch(/^crossed racks +\d+\.\d % of the /m);
    expect(out).toMatch(/^objects +[1-9]\d*, /m);
    expect(demo.output.err).toBe('');
    expect(await leftBy(demo)).toEqual(NOTHING);
  });

  test('an agent and a worker are killed with SIGKILL in the middle', async () => {
    const demo = await startDemo(['--chaos', '--lines', '60000']);

    expect(await demo.exited()).toEqual({ code: 0, signal: null });

    const { out } = demo.output;
    const pidOf = (pattern: RegExp): string | undefined => pattern.exec(out)?.[1];
    for (const name of ['agent-a', 'worker-a']) {
      const killed = pidOf(new RegExp(`SIGKILL to ${name} \\(process (\\d+)\\)`));
      expect(killed).toBe(pidOf(new RegExp(`${name} is ready \\(process (\\d+)`)));
      expect(pidOf(new RegExp(`${name} is back \\(process (\\d+)\\)`))).not.toBe(killed);
    }
    expect(out).toContain('every line exactly once: 60,000 lines of 6 file(s)');
    expect(await leftBy(demo)).toEqual(NOTHING);
  });

  test("carries files of the user's own as they are, and changes none", async () => {
    const own = await tempDir();
    const odd = join(own, 'odd [x] {y} (1) ${HOME} ä.log');
    const plain = join(own, 'plain.log');
    const bytes = Buffer.concat([
      Buffer.from('windows\r\n\nsame\nsame\n'),
      Buffer.from([0x00, 0xff, 0xfe, 0x0a]),
      Buffer.from('not finished'),
    ]);
    await writeFile(odd, bytes);
    await writeFile(plain, Array.from({ length: 5000 }, (_, index) => `line ${index}\n`).join(''));
    const before = await readFile(plain);

    const demo = await startDemo([odd, plain]);

    expect(await demo.exited()).toEqual({ code: 0, signal: null });
    const { out } = demo.output;
    expect(out).toContain('every line exactly once: 5,005 lines of 2 file(s)');
    expect(out).toContain(`${odd}: waiting: no newline yet behind the last 12 bytes`);
    expect(await readFile(odd)).toEqual(bytes);
    expect(await readFile(plain)).toEqual(before);
    expect(await leftBy(demo)).toEqual(NOTHING);
  });

  test('a file grows during the run: what was there at the start is checked', async () => {
    const path = join(await tempDir(), 'busy.log');
    await writeFile(path, 'first\nsecond\nthi');
    const demo = await startDemo([path]);
    await demo.says(/agent-a is ready/);

    await appendFile(path, 'rd\nfourth\n');

    expect(await demo.exited()).toEqual({ code: 0, signal: null });
    expect(demo.output.out).toContain('every line exactly once: 2 lines of 1 file(s)');
    expect(demo.output.out).toMatch(/busy\.log: 2 line\(s\) came during the run/);
  });

  test('Ctrl-C while lines are on their way leaves nothing', async () => {
    const demo = await startDemo(['--lines', '3000000']);
    await demo.says(/in Kafka [1-9]/);

    demo.signal('SIGINT');

    expect(await demo.exited()).toEqual({ code: 130, signal: null });
    expect(await leftBy(demo)).toEqual(NOTHING);
  });

  test('kill -TERM while the brokers are starting leaves nothing', async () => {
    const demo = await startDemo([]);
    // Each process of the stack has another one beside it that ends it with its parent.
    await waitFor(() => processesOf(demo).length > 6, {
      timeoutMs: 30_000,
      what: 'brokers and S3 are being started',
    });

    demo.signal('SIGTERM');

    expect(await demo.exited()).toEqual({ code: 143, signal: null });
    expect(await leftBy(demo)).toEqual(NOTHING);
  });

  test('kill -9 of the demo ends all that it started', async () => {
    const demo = await startDemo(['--lines', '3000000']);
    await demo.says(/in Kafka [1-9]/);

    demo.signal('SIGKILL');

    expect(await demo.exited()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await leftBy(demo)).toEqual(NOTHING);
  });

  test('a worker that dies is a failure, whose log is shown and kept', async () => {
    const demo = await startDemo(['--lines', '3000000']);
    const [, pid] = await demo.says(/worker-b is ready \(process (\d+)/);

    process.kill(Number(pid), 'SIGKILL');

    expect(await demo.exited()).toEqual({ code: 1, signal: null });
    expect(demo.output.err).toMatch(/^demo: worker-b ended with SIGKILL\nthe end of \S+worker-b\.log:\n/);
    const kept = /kept in (\S+);/.exec(demo.output.out)?.[1];
    expect(readdirSync(join(kept!, 'logs'))).toEqual(expect.arrayContaining(['agent-a.log', 'worker-b.log']));
    expect(readdirSync(kept!)).toEqual(
      expect.arrayContaining(['agent-a', 'host-a', 'stack-logs', 'worker-b']),
    );
    expect(await leftBy(demo, 1)).toEqual({ ...NOTHING, files: [basename(kept!)] });
  });

  test('--keep leaves it all running, and Ctrl-C ends it', async () => {
    const demo = await startDemo(['--lines', '6000', '--keep']);
    const [, workspace] = await demo.says(/^Log files +(\S+)$/m);
    await demo.says(/Ctrl-C ends all of it/);
    const [, url] = /agent-a {2}process \d+ {2}(\S+)\/status/.exec(demo.output.out)!;

    // The agent is at work again: it carries what is added now.
    await appendFile(join(workspace!, 'host-a', 'shop.log'), 'one line more\n');
    await waitFor(
      async () => {
        const metrics = await (await fetch(`${url}/metrics`)).text();
        return /^skald_agent_acknowledged_records_total\{.*\} 1$/m.test(metrics);
      },
      { timeoutMs: 30_000, what: 'the line is acknowledged' },
    );
    demo.signal('SIGINT');

    expect(await demo.exited()).toEqual({ code: 0, signal: null });
    expect(await leftBy(demo)).toEqual(NOTHING);
  });

  test.each([
    [['--lines', 'many'], /--lines must be a whole number/],
    [['/no/such/file.log'], /^demo: \/no\/such\/file\.log: does not exist\n$/],
  ])('%j is refused before anything is started', async (args, reason) => {
    const demo = await startDemo(args);

    expect(await demo.exited()).toEqual({ code: 2, signal: null });
    expect(demo.output.err).toMatch(reason);
    expect(demo.output.out).not.toContain('Starting');
    expect(await leftBy(demo)).toEqual(NOTHING);
  });
});
