import { z } from 'zod';

/** What V8 writes with --cpu-prof: samples of which function ran (Chrome DevTools Protocol, Profiler.Profile). */
const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

export interface FunctionTime {
  /** Function and where it is; V8's own names in parentheses for what is no JavaScript. */
  name: string;
  selfMs: number;
}

/** Nobody's work: no JavaScript to run, and a thread of the pool in which it waits for a job. */
const IDLE = /^\(idle\)$|^atomicsWaitLoop piscina\//;

/** Time that a thread spent in each function itself, most first, without the time in which it had nothing to do. */
export function selfTimes(profile: unknown, root: string): FunctionTime[] {
  const { nodes, samples, timeDeltas } = profileSchema.parse(profile);
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame, root)]));
  const times = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? '(unknown)';
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0) / 1000);
  }
  return [...times]
    .filter(([name]) => !IDLE.test(name))
    .map(([name, selfMs]) => ({ name, selfMs }))
    .toSorted((a, b) => b.selfMs - a.selfMs);
}

function nameOf(
  { functionName, url, lineNumber }: { functionName: string; url: string; lineNumber: number },
  root: string,
) {
  const name = functionName === '' ? 'anonymous' : functionName;
  if (url === '') return name;
  const place = url
    .replace(`file://${root}/`, '')
    .replace(/^dist\//, '')
    .replace(/^.*node_modules\//, '');
  return `${name} ${place}:${lineNumber + 1}`;
}
