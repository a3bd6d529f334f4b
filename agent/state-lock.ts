import { mkdir, rm, rmdir, stat } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { errnoOf, SkaldError } from '../shared/errors.ts';

const LOCK = 'agent.lock';

/**
 * Makes sure that one agent works on a state directory: two would give the same batches to the broker under the same
 * identity, and each would overwrite the other's journal. The lock is a listening Unix socket, because the kernel lets
 * go of it when the process dies in whatever way, and because it works between containers that share the directory.
 * @throws SkaldError STATE_DIR_LOCKED, STATE_DIR_UNUSABLE
 */
export async function lockStateDirectory(stateDir: string): Promise<{ release(): Promise<void> }> {
  const socketPath = path.join(stateDir, LOCK);
  const where = { stateDir };
  // sun_path of a Unix socket address holds 108 bytes with its terminator (unix(7)).
  if (Buffer.byteLength(socketPath) > 107) {
    throw new SkaldError('STATE_DIR_UNUSABLE', `The path of stateDir is too long for a lock: ${stateDir}`, {
      where,
    });
  }
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw new SkaldError('STATE_DIR_UNUSABLE', `Cannot create stateDir ${stateDir}: ${String(error)}`, {
      cause: error,
      where,
    });
  }
  const locked = (): SkaldError =>
    new SkaldError('STATE_DIR_LOCKED', `Another agent works on stateDir ${stateDir}.`, { where });
  const unusable = (cause: NodeJS.ErrnoException): SkaldError =>
    new SkaldError('STATE_DIR_UNUSABLE', `Cannot lock stateDir ${stateDir}: ${cause.message}`, {
      cause,
      where,
    });

  const server = net.createServer((socket) => socket.destroy());
  let failure = await listen(server, socketPath);
  if (failure?.code === 'EADDRINUSE' && !(await isAlive(socketPath))) {
    failure = await takeOver(server, socketPath).catch(asErrno);
  }
  if (failure !== undefined) throw failure.code === 'EADDRINUSE' ? locked() : unusable(failure);
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** Whether an agent works on a state directory now. */
export function isLocked(stateDir: string): Promise<boolean> {
  return isAlive(path.join(stateDir, LOCK));
}

/** Longer than a takeover can take: whoever left this behind was killed in the middle of it. */
const TAKEOVER_MAX_MS = 10_000;

/**
 * Puts `server` in the place of a socket that an agent left when it was killed. Nobody can bind the path while the old
 * socket is there, and only who holds the guard removes it, so of several agents that start together one gets it.
 */
async function takeOver(server: net.Server, socketPath: string): Promise<NodeJS.ErrnoException | undefined> {
  const guard = `${socketPath}.takeover`;
  await removeLeftGuard(guard);
  const taken = await mkdir(guard).then(() => undefined, asErrno);
  if (taken !== undefined)
    return taken.code === 'EEXIST' ? Object.assign(taken, { code: 'EADDRINUSE' }) : taken;
  try {
    if (!(await isAlive(socketPath))) await rm(socketPath, { force: true });
    return await listen(server, socketPath);
  } finally {
    await rmdir(guard);
  }
}

async function removeLeftGuard(guard: string): Promise<void> {
  const since = await stat(guard).catch(() => undefined);
  if (since !== undefined && Date.now() - since.mtimeMs > TAKEOVER_MAX_MS) await rmdir(guard).catch(() => {});
}

function asErrno(error: unknown): NodeJS.ErrnoException {
  return error instanceof Error ? error : new Error(String(error));
}

function listen(server: net.Server, socketPath: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    server.listen(socketPath, () => {
      server.off('error', resolve);
      resolve(undefined);
    });
  });
}

/** Whether a process listens there. Only a refusal says that none does: a full backlog or a missing permission does not. */
function isAlive(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = errnoOf(error);
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT');
    });
  });
}
