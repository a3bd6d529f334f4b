import { readFileSync } from 'node:fs';

/** A process id alone may belong to somebody else by now; together with the start time it does not. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks from boot to the start of the process (proc(5), field 22 of stat); empty where there is no /proc. */
  startTime: string;
}

/** Undefined when there is no such process. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  if (!exists(pid)) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie only waits to be collected.
    return fields[0] === 'Z' ? undefined : { pid, startTime: fields[19] ?? '' };
  } catch {
    return exists(pid) ? { pid, startTime: '' } : undefined;
  }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.startTime === identity.startTime;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
