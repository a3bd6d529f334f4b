import { readFileSync } from 'node:fs';

/** sysconf(_SC_CLK_TCK) is 100 on every architecture of Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds that a process has used, all threads, user and system; undefined without /proc, or when it is gone. */
export function cpuSecondsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}
