import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { type S3FaultProxy, startS3FaultProxy } from '../../support/s3-fault-proxy.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type FleetWorker, startFleetWorker } from './fleet-worker.ts';
import { finishedHours } from './finished-hours.ts';
import { startLoad, type SteadyLoad } from './steady-load.ts';
import { committedOffsets } from './transporter-files.ts';

const HOUR_MS = 3_600_000;
const PATIENCE_MS = 90_000;

/** What a worker finds in its file at one start after the other: each promise is kept under another layout. */
const LAYOUTS = [
  { objects: ['codec: zstd'], chunk: ['maxBytes: 24MiB', 'maxAgeMs: 1s'] },
  {
    objects: [
      'codec: gzip',
      'format: jsonl',
      "template: '{prefix}/{topic}/{yyyy}/{mm}/{dd}/{hh}/{partition}-{firstOffset}.{ext}'",
    ],
    chunk: ['maxBytes: 16MiB', 'maxAgeMs: 1200ms'],
  },
  { objects: ['codec: none'], chunk: ['maxBytes: 20MiB', 'maxAgeMs: 1300ms'] },
  {
    objects: [
      'codec: zstd',
      'format: jsonl',
      "template: '{prefix}/by-hour/{topic}/{yyyy}-{mm}-{dd}-{hh}/{partition}-{firstOffset}.{ext}'",
    ],
    chunk: ['maxBytes: 32MiB', 'maxAgeMs: 1100ms'],
  },
];

export interface LaneWorker extends FleetWorker {
  proxy: S3FaultProxy;
}

/** A topic of one partition, a worker that carries it, and one that takes over. */
export interface Lane {
  topic: string;
  group: string;
  prefix: string;
  load: SteadyLoad;
  workers: LaneWorker[];
  start(name: string): Promise<LaneWorker>;
}

export async function startLane(number: number): Promise<Lane> {
  const topic = await freshTopic({ partitions: 1 });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const { bootstrap, s3 } = sharedStack();
  let starts = number;
  const start = async (name: string): Promise<LaneWorker> => {
    const proxy = await startS3FaultProxy(s3.endpoint);
    onTestFinished(() => proxy.close());
    const layout = LAYOUTS[starts % LAYOUTS.length]!;
    starts += 1;
    const file = {
      topic,
      group,
      prefix,
      session: '120s',
      stack: { bootstrap, s3: { ...s3, endpoint: proxy.endpoint } },
      s3: ['multipartThresholdBytes: 5MiB', 'partBytes: 5MiB'],
      ...layout,
    };
    return { ...(await startFleetWorker(directory, name, file)), proxy };
  };
  const nowMs = Date.now();
  const load = await startLoad(topic, 1, [nowMs - HOUR_MS, nowMs]);
  await waitFor(() => load.sent.length > 0, { timeoutMs: PATIENCE_MS, what: 'records are in the topic' });
  const workers = await Promise.all(['a', 'b'].map(start));
  // From here on the records of the hour before are late, and each of their objects has a marker.
  await waitFor(() => finishedHours(prefix).length > 0, {
    timeoutMs: PATIENCE_MS,
    what: 'the hour before is finished',
  });
  return { topic, group, prefix, load, workers, start };
}

export interface Committed {
  offset: number;
  /** Of the intent; undefined when there is none. */
  end: number | undefined;
}

export async function committedIn({ group, topic }: Lane): Promise<Committed> {
  const [found] = await committedOffsets(group, topic);
  if (found === undefined || !found.metadata.includes('"skald":'))
    return { offset: found?.offset ?? -1, end: undefined };
  return { offset: found.offset, ...z.object({ end: z.number() }).parse(JSON.parse(found.metadata)) };
}
