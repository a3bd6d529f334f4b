import { readFile } from 'node:fs/promises';

export interface ProcessCost {
  /** User and system time of all threads since the start. */
  cpuSeconds: number;
  peakMemoryBytes: number;
}

/** Clock ticks of /proc/<pid>/stat: USER_HZ, 100 on every Linux that Node runs on (proc(5)). */
const TICKS_A_SECOND = 100;

/** What a running process has cost so far, by the kernel's own account: utime and stime of proc_pid_stat(5), VmHWM of proc_pid_status(5). */
export async function processCost(pid: number): Promise<ProcessCost> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces; fields count on from the last parenthesis, where the third one begins.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const peakKib = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND,
    peakMemoryBytes: peakKib * 1024,
  };
}
