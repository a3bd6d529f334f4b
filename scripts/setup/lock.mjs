import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { removeLeftovers, STACK_DIR } from './paths.mjs';
import { killRunningCommands } from './run-command.mjs';
import { SetupError } from './steps.mjs';

const LOCK_FILE = join(STACK_DIR, 'setup.lock');
/** Longer than a first setup on a slow link: its steps have bounds of their own. */
const WAIT_MS = 15 * 60_000;
const POLL_MS = 100;
/** Two commands that start together wait for each other's compiler for a moment; that is not worth a line. */
const ANNOUNCE_AFTER_MS = 2000;

/**
 * Runs `action` while no other setup of this checkout runs. The lock names its holder by process id and start time, so
 * that a lock whose holder was killed is recognised as stale at once, and a recycled process id does not keep it.
 */
export async function withSetupLock(steps, action) {
  const release = await acquire(steps);
  const onSignal = (signal) => {
    killRunningCommands();
    removeLeftovers();
    release();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    return await action();
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    release();
  }
}

async function acquire(steps) {
  mkdirSync(STACK_DIR, { recursive: true });
  const mine = `${process.pid} ${startTimeOf(process.pid)}\n`;
  const startedAt = Date.now();
  let announced = false;
  for (;;) {
    if (tryCreate(mine)) return () => removeIfStill(mine);
    const holder = readHolder();
    if (holder === undefined) continue;
    if (isStale(holder)) {
      removeIfStill(holder);
      continue;
    }
    const waitedMs = Date.now() - startedAt;
    const [pid] = holder.split(' ');
    if (waitedMs > WAIT_MS)
      throw new SetupError(`another setup (process ${pid}) has held ${LOCK_FILE} for too long`);
    if (!announced && waitedMs > ANNOUNCE_AFTER_MS) {
      steps.note(`waiting for another setup (process ${pid})`);
      announced = true;
    }
    await delay(POLL_MS);
  }
}

/** A hard link appears with its content in one step, so nobody can ever read a lock without a holder in it. */
function tryCreate(content) {
  const draft = `${LOCK_FILE}.${process.pid}`;
  writeFileSync(draft, content);
  try {
    linkSync(draft, LOCK_FILE);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Moves the lock aside before it looks again, so that two waiters cannot remove each other's new lock. */
function removeIfStill(content) {
  const aside = `${LOCK_FILE}.${process.pid}.aside`;
  try {
    if (readHolder() !== content) return;
    renameSync(LOCK_FILE, aside);
    if (readFileSync(aside, 'utf8') !== content) linkSync(aside, LOCK_FILE);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readHolder() {
  try {
    return readFileSync(LOCK_FILE, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isStale(holder) {
  const [pid, startTime] = holder.trim().split(' ');
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (error.code === 'ESRCH') return true;
  }
  return startTime !== startTimeOf(pid);
}

/** Clock ticks since boot (proc(5), field 22 of stat). Systems without /proc go by the process id alone. */
function startTimeOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return 'unknown';
  }
}
