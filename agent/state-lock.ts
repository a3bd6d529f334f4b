import { mkdir, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { SkaldError } from '../shared/errors.ts';

/**
 * Makes sure that one agent works on a state directory: two would give the same batches to the broker under the same
 * identity, and each would overwrite the other's journal. The lock is a listening Unix socket, because the kernel lets
 * go of it when the process dies in whatever way, and because it works between containers that share the directory.
 * @throws SkaldError STATE_DIR_LOCKED, STATE_DIR_UNUSABLE
 */
export async function lockStateDirectory(stateDir: string): Promise<{ release(): Promise<void> }> {
  const socketPath = path.join(stateDir, 'agent.lock');
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
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const server = net.createServer((socket) => socket.destroy());
    const failure = await listen(server, socketPath);
    if (failure === undefined) {
      server.unref();
      return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    }
    if (failure.code !== 'EADDRINUSE') {
      throw new SkaldError('STATE_DIR_UNUSABLE', `Cannot lock stateDir ${stateDir}: ${failure.message}`, {
        cause: failure,
        where,
      });
    }
    if (await isAlive(socketPath)) break;
    await rm(socketPath, { force: true }); // left by an agent that was killed
  }
  throw new SkaldError('STATE_DIR_LOCKED', `Another agent works on stateDir ${stateDir}.`, { where });
}

function listen(server: net.Server, socketPath: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    server.listen(socketPath, () => resolve(undefined));
  });
}

function isAlive(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
