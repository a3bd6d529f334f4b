import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { projectRoot } from '../../../scripts/stack/project-root.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Stand-ins for programs that would download or install; each call is a line of calls.log. */
const PROGRAMS = {
  java: 'echo \'openjdk version "17.0.15" 2025-04-15\' >&2',
  npm: `
    rm -rf node_modules && mkdir node_modules
    ln -s "$REAL_MODULES/typescript" node_modules/typescript
    cp package-lock.json node_modules/.package-lock.json`,
  mvn: `
    for argument; do
      case "$argument" in -DoutputDirectory=*) out="\${argument#*=}" ;; esac
    done
    [ -n "$out" ] || exit 0
    mkdir -p "$out" && touch "$out/kafka_2.13-4.1.0.jar"
    if [ -e "$STUBS/mvn-fails" ]; then echo 'Could not transfer artifact' && exit 1; fi
    if [ -e "$STUBS/mvn-hangs" ]; then
      touch "$STUBS/mvn-hanging"
      while kill -0 $PPID; do sleep 0.1; done
    fi
    touch "$out/kafka-tools-4.1.0.jar" "$out/slf4j-simple-1.7.36.jar" "$out/s3proxy-4.1.0-jar-with-dependencies.jar"`,
  'apt-get': `
    case "$*" in
      *openjdk*) cp "$STUBS/java.later" "$STUBS/java" ;;
      *maven*) cp "$STUBS/mvn.later" "$STUBS/mvn" ;;
    esac`,
};
type Program = keyof typeof PROGRAMS;

export interface SetupRun {
  child: ChildProcess;
  ended: Promise<{ code: number | null; output: string }>;
}

export interface FakeCheckout {
  root: string;
  /** Starts setup.mjs with only the stand-ins on the PATH. */
  start(...args: string[]): SetupRun;
  run(...args: string[]): SetupRun['ended'];
  /** The programs that were called, without the looks at their versions. */
  calls(): Promise<string[]>;
  write(path: string, text: string): Promise<void>;
  /** Gives a stand-in an instruction such as "mvn-fails", or another body. */
  instruct(file: string): Promise<void>;
  retract(file: string): Promise<void>;
  install(program: Program, body?: string): Promise<void>;
  uninstall(program: Program): Promise<void>;
  env: NodeJS.ProcessEnv;
}

/** A small project with the real setup.mjs in it, as a fresh clone would be. */
export async function fakeCheckout(): Promise<FakeCheckout> {
  const directory = await tempDir();
  const root = join(directory, 'checkout');
  const stubs = join(directory, 'bin');
  const callsLog = join(directory, 'calls.log');
  const scripts = join(projectRoot(), 'scripts');
  await mkdir(stubs);
  await cp(join(scripts, 'setup'), join(root, 'scripts', 'setup'), { recursive: true });
  await cp(join(scripts, 'setup.mjs'), join(root, 'scripts', 'setup.mjs'));
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  };
  await write('package.json', '{ "type": "module" }');
  await write('package-lock.json', lockFile('1.0.0'));
  await write('tsconfig.build.json', JSON.stringify(TS_CONFIG));
  await write('cli/main.ts', 'export const answer: number = 42;\n');

  const program = (name: Program, body: string): string => `#!/bin/sh
PATH=/usr/bin:/bin
case "$*" in *-version) ;; *) echo "${name} $*" >> '${callsLog}' ;; esac
${body}
`;
  const install = async (name: Program, body: string = PROGRAMS[name]): Promise<void> => {
    await writeFile(join(stubs, name), program(name, body), { mode: 0o755 });
    await chmod(join(stubs, name), 0o755);
  };
  for (const name of ['java', 'npm', 'mvn'] as const) await install(name);
  for (const name of ['java', 'mvn'] as const) await cp(join(stubs, name), join(stubs, `${name}.later`));
  await symlink(process.execPath, join(stubs, 'node'));

  const env: NodeJS.ProcessEnv = {
    PATH: stubs,
    HOME: join(directory, 'no-home'),
    STUBS: stubs,
    REAL_MODULES: join(projectRoot(), 'node_modules'),
  };
  const start = (...args: string[]): SetupRun => {
    const child = spawn(process.execPath, [join(root, 'scripts', 'setup.mjs'), ...args], {
      cwd: directory,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return { child, ended: once(child, 'close').then(() => ({ code: child.exitCode, output })) };
  };
  return {
    root,
    env,
    start,
    run: (...args) => start(...args).ended,
    calls: async () =>
      (await readFile(callsLog, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
    write,
    instruct: (file) => writeFile(join(stubs, file), ''),
    retract: (file) => rm(join(stubs, file)),
    install,
    uninstall: (name) => rm(join(stubs, name)),
  };
}

export function lockFile(version: string): string {
  return JSON.stringify({
    packages: {
      '': {},
      'node_modules/a': { version },
      'node_modules/b': { version: '2.0.0', optional: true },
    },
  });
}

const TS_CONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    rootDir: '.',
    outDir: 'dist',
    sourceMap: true,
    types: [],
  },
  include: ['cli', 'shared'],
};
