import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * Kills the child when its parent is gone. The watcher waits for a line on descriptor 3, a pipe that only the parent
 * holds: end of file without a line means that the parent died, even by SIGKILL, which nobody can handle. The shell
 * then becomes the command itself, so the child's process id is the one that spawn returned.
 */
const KILL_WITH_PARENT = '(read -r _ <&3 || kill -KILL $$) </dev/null >/dev/null 2>&1 & exec "$@" 3<&-';

/**
 * Removes a directory when the parent is gone. Other children of the parent may still be writing for a moment while
 * their own watchers kill them, hence the few tries.
 */
const REMOVE_WITH_PARENT = 'read -r _ <&3 || for try in 1 2 3 4 5; do rm -rf -- "$1" && break; sleep 1; done';

type Stream = 'ignore' | 'pipe' | number;

export interface Lifeline<Child extends ChildProcess = ChildProcess> {
  child: Child;
  /** Tells the watcher to go without doing anything. */
  release: () => void;
}

/** A child that never outlives this process. It has a session of its own, so Ctrl-C at the terminal is not for it. */
export function spawnWithLifeline(
  command: string,
  args: readonly string[],
  { stdio, env = process.env }: { stdio: [Stream, Stream, Stream]; env?: NodeJS.ProcessEnv },
): Lifeline {
  return startShell(KILL_WITH_PARENT, [command, ...args], { stdio: [...stdio, 'pipe'], env });
}

/** Removes `directory` should this process end before it calls `release`. Does not keep the process running. */
export function guardDirectory(directory: string): Pick<Lifeline, 'release'> {
  const { child, release } = startShell(REMOVE_WITH_PARENT, [directory], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  child.unref();
  pipeOf(child).unref();
  return { release };
}

function startShell(script: string, args: readonly string[], options: SpawnOptions): Lifeline {
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...args], { ...options, detached: true });
  const pipe = pipeOf(child);
  // The watcher's end closes when a child that it watched is gone.
  pipe.on('error', () => {});
  return { child, release: () => pipe.end('done\n') };
}

function pipeOf(child: ChildProcess): Socket {
  const pipe = child.stdio[3];
  if (!(pipe instanceof Socket))
    throw new Error('/bin/sh could not be started: it is missing or a limit is reached');
  return pipe;
}
