import { readdir, readFile } from 'node:fs/promises';

export interface ProcessCost {
  /** User and system time of all threads since the start, with that of children that have ended. */
  cpuSeconds: number;
  peakMemoryBytes: number;
}

/** Clock ticks of /proc/<pid>/stat: USER_HZ, 100 on every Linux that Node runs on (proc(5)). */
const TICKS_A_SECOND = 100;

/** What a running process has cost so far, by the kernel's own account: utime, stime, cutime and cstime of proc_pid_stat(5), VmHWM of proc_pid_status(5). */
export async function processCost(pid: number): Promise<ProcessCost> {
  const fields = await statFields(pid);
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const peakKib = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0); // one that has just ended has none
  return {
    cpuSeconds: fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_A_SECOND,
    peakMemoryBytes: peakKib * 1024,
  };
}

/** The same of a process that leads a session, and of all that it started and that still runs: the sum of each. */
export async function sessionCost(leader: number): Promise<ProcessCost> {
  const sum = { cpuSeconds: 0, peakMemoryBytes: 0 };
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if ((await statFields(Number(entry)))[3] !== String(leader)) continue;
      const { cpuSeconds, peakMemoryBytes } = await processCost(Number(entry));
      sum.cpuSeconds += cpuSeconds;
      sum.peakMemoryBytes += peakMemoryBytes;
    } catch {
      // It has ended since.
    }
  }
  return sum;
}

/** User and system time of processes that go on running, such as brokers. */
export async function cpuSecondsOf(pids: readonly (number | undefined)[]): Promise<number> {
  const costs = await Promise.all(pids.filter((pid) => pid !== undefined).map(processCost));
  return costs.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** User and system time of all children of this process that have ended, and of theirs: exact, where a look at a running one is early. */
export async function endedChildrenCpuSeconds(): Promise<number> {
  const fields = await statFields(process.pid);
  return (Number(fields[13]) + Number(fields[14])) / TICKS_A_SECOND;
}

/** From the third field on. The name in parentheses, the second, may hold spaces and parentheses. */
async function statFields(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

export interface ThreadTime {
  /** As the kernel has it, with how many there are of that name. */
  name: string;
  cpuSeconds: number;
}

/** User and system time of a process by the names of its threads, most first. */
export async function threadTimes(pid: number): Promise<ThreadTime[]> {
  const tasks = await readdir(`/proc/${pid}/task`);
  const sums = new Map<string, { count: number; cpuSeconds: number }>();
  for (const task of tasks) {
    const text = await readFile(`/proc/${pid}/task/${task}/stat`, 'utf8').catch(() => undefined);
    if (text === undefined) continue; // it has ended since
    const name = task === String(pid) ? 'main' : text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const sum = sums.get(name) ?? { count: 0, cpuSeconds: 0 };
    sum.count += 1;
    sum.cpuSeconds += (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
    sums.set(name, sum);
  }
  return [...sums]
    .map(([name, { count, cpuSeconds }]) => ({ name: `${count} ${name}`, cpuSeconds }))
    .toSorted((a, b) => b.cpuSeconds - a.cpuSeconds);
}
