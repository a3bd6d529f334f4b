import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findFreePorts, LOOPBACK } from '../../../scripts/stack/ports.ts';
import { projectRoot } from '../../../scripts/stack/project-root.ts';
import { tempDir } from '../../support/temp-dir.ts';

const root = projectRoot();
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', '');
const instructions = dockerfile
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('#'));

/** What `COPY` takes from the checkout, and where it puts it; copies between stages are not among them. */
const copies = instructions
  .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
  .map((line) => line.split(/\s+/).slice(1))
  .map((paths) => ({ sources: paths.slice(0, -1), target: paths.at(-1)! }));
const sources = new Set(copies.flatMap((copy) => copy.sources));

describe('the Dockerfile', { timeout: 60_000 }, () => {
  test('every stage starts from the same version of Node, which package.json allows', () => {
    const images = instructions.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1]);

    expect(new Set(images).size).toBe(1);
    expect(images[0]).toMatch(/^node:20\.(19|[2-9]\d)\.\d+-bookworm-slim$/);
  });

  test('runs as somebody else than root', () => {
    const users = instructions.filter((line) => line.startsWith('USER '));

    expect(users).toEqual(['USER node']);
    expect(instructions.indexOf('USER node')).toBeLessThan(instructions.indexOf('ENTRYPOINT ["skald"]'));
  });

  test('.dockerignore lets through what is copied, and nothing else', () => {
    const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
    const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));

    expect(lines).toContain('*');
    expect(new Set(allowed)).toEqual(sources);
  });

  test('what it copies is enough to build and to run skald through the link in the PATH', async () => {
    const image = await tempDir();
    for (const source of sources) await cp(join(root, source), join(image, source), { recursive: true });
    await symlink(join(root, 'node_modules'), join(image, 'node_modules'));
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

    const build = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: image });
    expect({ status: build.status, output: String(build.stdout) }).toEqual({ status: 0, output: '' });
    await mkdir(join(image, 'bin'));
    await symlink(join(image, 'dist', 'cli', 'main.js'), join(image, 'bin', 'skald'));
    const { status, stdout } = spawnSync(process.execPath, [join(image, 'bin', 'skald'), 'version']);

    const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(status).toBe(0);
    expect(String(stdout)).toContain(version);
    expect((await readdir(join(image, 'dist'))).toSorted()).toEqual([
      'agent',
      'cli',
      'shared',
      'transporter',
    ]);
  });
});

describe('the health check of the image', { timeout: 30_000 }, () => {
  /** The command as Docker would run it, with other ports than the ones that may be in use here. */
  async function healthCheck(ports: readonly number[]): Promise<number | null> {
    const line = instructions.find((instruction) => instruction.startsWith('HEALTHCHECK '))!;
    const [program = '', ...args]: string[] = JSON.parse(line.slice(line.indexOf('[')));
    expect(args[1]).toContain('[9464, 9465]');
    const script = args[1]!.replace('[9464, 9465]', JSON.stringify(ports));
    expect(program).toBe('node');
    const child = spawn(process.execPath, [args[0]!, script], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child, 'exit');
    return child.exitCode;
  }

  test.each([
    { statusCode: 200, exitCode: 0 },
    { statusCode: 503, exitCode: 1 },
  ])('a status server that answers /healthz with $statusCode', async ({ statusCode, exitCode }) => {
    const [silent, port] = await findFreePorts(2);
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/healthz' ? statusCode : 404).end();
    });
    await once(server.listen(port, LOOPBACK), 'listening');
    onTestFinished(() => void server.close());

    expect(await healthCheck([silent!, port!])).toBe(exitCode);
    expect(await healthCheck([port!, silent!])).toBe(exitCode);
  });

  test('nobody answers', async () => {
    expect(await healthCheck(await findFreePorts(2))).toBe(1);
  });
});
