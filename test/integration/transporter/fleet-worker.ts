import { z } from 'zod';
import { findFreePorts } from '../../../scripts/stack/ports.ts';
import { type RunningSkald, startSkald } from '../../support/run-skald.ts';
import { type TransporterFile, transporterFile } from './transporter-files.ts';

const statusSchema = z.object({
  generation: z.number().optional(),
  partitions: z.array(
    z.object({
      topic: z.string(),
      partition: z.number(),
      state: z.string(),
      position: z.number().optional(),
      committedOffset: z.number().optional(),
      oldestMs: z.number().optional(),
    }),
  ),
});

export type WorkerStatus = z.infer<typeof statusSchema>;

/** A worker of a fleet as a process of its own, and what it says of itself. */
export interface FleetWorker {
  readonly name: string;
  /** Its configuration. */
  readonly file: string;
  readonly process: RunningSkald;
  /** Undefined while it does not answer. */
  status(): Promise<WorkerStatus | undefined>;
  /** Sum over the labels of a metric. */
  metric(name: string): Promise<number>;
  /** The generations that it has joined, by its log. */
  generations(): number[];
}

export async function startFleetWorker(
  directory: string,
  name: string,
  file: TransporterFile,
): Promise<FleetWorker> {
  const [port] = await findFreePorts(1);
  const path = await transporterFile(directory, name, { ...file, status: `\n  port: ${port}` });
  const process = startSkald(['transporter', '-c', path]);
  const get = async (what: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}/${what}`)).text();
  return {
    name,
    file: path,
    process,
    status: async () => {
      const text = await get('status').catch(() => undefined);
      return text === undefined ? undefined : statusSchema.parse(JSON.parse(text));
    },
    metric: async (metric) => {
      const lines = (await get('metrics')).split('\n').filter((line) => line.startsWith(`${metric}{`));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    generations: () =>
      process
        .stderr()
        .split('\n')
        .filter((line) => line.includes('"joined the group"'))
        .map((line) => z.object({ generation: z.number() }).parse(JSON.parse(line)).generation),
  };
}

/** Whether each of the workers carries so many partitions, all in one generation. */
export async function shareEqually(workers: readonly FleetWorker[], partitions: number): Promise<boolean> {
  const all = await Promise.all(workers.map((worker) => worker.status()));
  return all.every(
    (status) =>
      status?.generation !== undefined &&
      status.generation === all[0]?.generation &&
      status.partitions.length === partitions &&
      status.partitions.every(({ state }) => state === 'carrying'),
  );
}
