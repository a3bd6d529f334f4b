import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DEFAULT_KAFKA_VERSION, S3PROXY_VERSION } from '../../../scripts/stack/jars.ts';
import { waitFor } from '../../support/wait-for.ts';
import { fakeCheckout, lockFile } from './fake-checkout.ts';
import type { FakeCheckout } from './fake-checkout.ts';

const KAFKA = join('.stack', 'jars', `kafka-${DEFAULT_KAFKA_VERSION}`);

async function hangingFetch(checkout: FakeCheckout): Promise<ReturnType<FakeCheckout['start']>> {
  await checkout.instruct('mvn-hangs');
  const run = checkout.start();
  await waitFor(() => existsSync(join(checkout.env['STUBS']!, 'mvn-hanging')), {
    timeoutMs: 10_000,
    what: 'a fetch in progress',
  });
  await checkout.retract('mvn-hangs');
  return run;
}

describe('setup', { timeout: 60_000 }, () => {
  test('a fresh clone gets its packages, its jars and a build', async () => {
    const checkout = await fakeCheckout();

    const { code, output } = await checkout.run();

    expect(output).toMatch(/npm packages.*\d s\n[^]*Kafka.*\d s\n[^]*S3Proxy.*\d s\n[^]*dist.*\d s\n/);
    expect(code).toBe(0);
    expect(await checkout.calls()).toEqual([
      expect.stringMatching(/^npm ci /),
      expect.stringMatching(/^mvn .*:copy-dependencies /),
      expect.stringMatching(/^mvn .*:copy /),
    ]);
    const jar = `s3proxy-${S3PROXY_VERSION}-jar-with-dependencies.jar`;
    expect(existsSync(join(checkout.root, '.stack', 'jars', `s3proxy-${S3PROXY_VERSION}`, jar))).toBe(true);
    expect(await readdir(join(checkout.root, KAFKA))).toContain(`kafka-tools-${DEFAULT_KAFKA_VERSION}.jar`);
    expect(await readFile(join(checkout.root, 'dist', 'cli', 'main.js'), 'utf8')).toContain('answer = 42');
  });

  test('a second run has nothing to do and, when quiet, nothing to say', async () => {
    const checkout = await fakeCheckout();
    await checkout.run();
    const before = await checkout.calls();

    expect(await checkout.run('--quiet')).toEqual({ code: 0, output: '' });

    expect(await checkout.calls()).toEqual(before);
  });

  test('packages are installed again when the lock file moved on, but not for one that this system skips', async () => {
    const checkout = await fakeCheckout();
    await checkout.run('--no-stack');
    await checkout.write('package-lock.json', lockFile('1.0.1'));
    await checkout.run('--no-stack');
    await checkout.write(
      'node_modules/.package-lock.json',
      JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.1' } } }),
    );
    await checkout.run('--no-stack');

    expect((await checkout.calls()).filter((call) => call.startsWith('npm ci'))).toHaveLength(2);
  });

  test('an output whose source is gone is removed, and one that somebody removed comes back', async () => {
    const checkout = await fakeCheckout();
    await checkout.write('shared/old.ts', 'export const old = 1;\n');
    await checkout.run('--no-stack');
    const output = (path: string): string => join(checkout.root, 'dist', path);
    expect(existsSync(output('shared/old.js'))).toBe(true);

    await rm(join(checkout.root, 'shared/old.ts'));
    await rm(output('cli/main.js'));
    await checkout.run('--no-stack');

    expect(
      ['shared/old.js', 'shared/old.js.map', 'cli/main.js'].map((path) => existsSync(output(path))),
    ).toEqual([false, false, true]);
  });

  test('a source that does not compile is shown and fails', async () => {
    const checkout = await fakeCheckout();
    await checkout.write('cli/main.ts', `export const answer: number = 'text';\n`);

    const first = await checkout.run('--no-stack');
    const second = await checkout.run('--no-stack');

    for (const { code, output } of [first, second]) {
      expect(code).toBe(1);
      expect(output).toContain('cli/main.ts');
      expect(output).toContain('TS2322');
    }
  });
});

describe('an interrupted setup', { timeout: 60_000 }, () => {
  test('a fetch that fails says why and leaves nothing that looks whole', async () => {
    const checkout = await fakeCheckout();
    await checkout.instruct('mvn-fails');

    const { code, output } = await checkout.run();

    expect(code).toBe(1);
    expect(output).toContain('Could not transfer artifact');
    expect(existsSync(join(checkout.root, KAFKA))).toBe(false);
    await checkout.retract('mvn-fails');
    expect(await checkout.run()).toMatchObject({ code: 0 });
    expect(existsSync(join(checkout.root, KAFKA))).toBe(true);
  });

  test('Ctrl-C in the middle of a fetch leaves nothing, and the next run does it again', async () => {
    const checkout = await fakeCheckout();
    const { child, ended } = await hangingFetch(checkout);

    child.kill('SIGINT');

    expect((await ended).code).toBe(130);
    expect(await readdir(join(checkout.root, '.stack', 'tmp'))).toEqual([]);
    expect(existsSync(join(checkout.root, KAFKA))).toBe(false);
    expect(existsSync(join(checkout.root, '.stack', 'setup.lock'))).toBe(false);
    expect(await checkout.run()).toMatchObject({ code: 0 });
  });

  test('the lock of a setup that was killed is taken over', async () => {
    const checkout = await fakeCheckout();
    const { child, ended } = await hangingFetch(checkout);
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(join(checkout.root, '.stack', 'setup.lock'))).toBe(true);

    expect(await checkout.run()).toMatchObject({ code: 0 });

    expect(existsSync(join(checkout.root, KAFKA))).toBe(true);
    expect(await readdir(join(checkout.root, '.stack', 'tmp'))).toEqual([]);
  });

  test('the lock of a process whose id somebody else has now is taken over', async () => {
    const checkout = await fakeCheckout();
    await checkout.write('.stack/setup.lock', `${process.pid} 1\n`);

    expect(await checkout.run('--no-stack')).toMatchObject({ code: 0 });
  });

  test('three that run at the same time install and fetch once', async () => {
    const checkout = await fakeCheckout();

    const results = await Promise.all([checkout.run(), checkout.run(), checkout.run()]);

    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    const calls = (await checkout.calls()).map((call) => call.split(' ')[0]);
    expect(calls).toEqual(['npm', 'mvn', 'mvn']);
  });
});

describe('what setup needs from the machine', { timeout: 60_000 }, () => {
  test('Java is missing', async () => {
    const checkout = await fakeCheckout();
    await checkout.uninstall('java');

    const { code, output } = await checkout.run();

    expect(code).toBe(1);
    expect(output).toContain('Java is missing');
    expect(output).toContain('openjdk-17-jdk-headless');
    expect(output).not.toContain('    at ');
  });

  test('Java is too old', async () => {
    const checkout = await fakeCheckout();
    await checkout.install('java', `echo 'openjdk version "1.8.0_392"' >&2`);

    expect((await checkout.run()).output).toContain('Java 8 is too old');
  });

  test('JAVA_HOME decides over the PATH', async () => {
    const checkout = await fakeCheckout();
    checkout.env['JAVA_HOME'] = join(checkout.root, 'no-java-here');

    expect((await checkout.run()).output).toContain('Java is missing');
  });

  test('Maven is missing while jars are missing; later nobody asks for it', async () => {
    const checkout = await fakeCheckout();
    await checkout.uninstall('mvn');
    expect((await checkout.run()).output).toContain('Maven (mvn) is missing');

    await checkout.install('mvn');
    await checkout.run();
    await checkout.uninstall('mvn');

    expect(await checkout.run()).toMatchObject({ code: 0 });
  });

  test.runIf(process.getuid?.() === 0 && existsSync('/etc/debian_version'))(
    'root on Debian or Ubuntu gets what is missing, and is told',
    async () => {
      const checkout = await fakeCheckout();
      await checkout.install('apt-get');
      await checkout.uninstall('java');
      await checkout.uninstall('mvn');

      const { code, output } = await checkout.run();

      expect(code).toBe(0);
      expect(output).toContain('installing openjdk-17-jdk-headless with apt-get');
      expect(output).toContain('installing maven with apt-get');
    },
  );

  test('an old Node is told what it needs to be', async () => {
    const checkout = await fakeCheckout();
    const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.3' } })`;
    checkout.env['NODE_OPTIONS'] = `--import=data:text/javascript,${encodeURIComponent(pretend)}`;

    const { code, output } = await checkout.run();

    expect(code).toBe(1);
    expect(output).toContain('Node 20.19 or later is needed, this is Node 20.18.3');
  });

  test('an option that does not exist is refused', async () => {
    const checkout = await fakeCheckout();

    expect(await checkout.run('--kafak', '3.9.1')).toMatchObject({ code: 1 });
    expect((await checkout.run('--kafka', '../evil')).output).toContain('is not a version');
    expect(await checkout.calls()).not.toContainEqual(expect.stringContaining('mvn'));
  });
});
