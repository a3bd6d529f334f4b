import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { S3Access } from '../stack/s3proxy.ts';
import { LOOPBACK } from '../stack/ports.ts';
import { MAX_LINE_BYTES } from './user-check.ts';

export interface AgentFiles {
  home: string;
  host: string;
  rack: string;
  bootstrap: readonly string[];
  statusPort: number;
  topic: string;
  /** Globs. */
  include: readonly string[];
}

/** Writes the two small files of an agent, as a platform team and the owners of a pipeline would. Returns the first. */
export function writeAgentConfig(agent: AgentFiles): string {
  const pipelinesDir = join(agent.home, 'pipelines');
  mkdirSync(pipelinesDir, { recursive: true });
  writeYaml(join(pipelinesDir, 'demo.yaml'), {
    files: { include: agent.include },
    framing: { maxRecordBytes: MAX_LINE_BYTES },
    kafka: { topic: agent.topic },
    // Small enough that a short demo uses several partitions.
    partitioner: { stickyBytes: '16MiB' },
  });
  return writeYaml(join(agent.home, 'agent.yaml'), {
    host: agent.host,
    rack: agent.rack,
    stateDir: join(agent.home, 'state'),
    pipelinesDir,
    clusters: { demo: { brokers: agent.bootstrap } },
    status: { host: LOOPBACK, port: agent.statusPort },
  });
}

export interface WorkerFiles {
  home: string;
  member: string;
  rack: string;
  bootstrap: readonly string[];
  statusPort: number;
  group: string;
  topic: string;
  prefix: string;
  s3: S3Access;
}

/** Writes the one file of a transporter worker and returns its path. */
export function writeWorkerConfig(worker: WorkerFiles): string {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = worker.s3;
  mkdirSync(worker.home, { recursive: true });
  return writeYaml(join(worker.home, 'transporter.yaml'), {
    cluster: { brokers: worker.bootstrap },
    group: worker.group,
    member: worker.member,
    rack: worker.rack,
    topics: [{ topic: worker.topic }],
    store: { type: 's3', bucket, region, endpoint, forcePathStyle: true, accessKeyId, secretAccessKey },
    objects: { prefix: worker.prefix, codec: 'zstd' },
    // Nobody wants to wait five minutes for the last object of a demo, nor half a minute for a killed worker.
    chunk: { maxBytes: '16MiB', maxAgeMs: '3s' },
    sessionTimeoutMs: '6s',
    heartbeatIntervalMs: '1s',
    rebalanceTimeoutMs: '10s',
    status: { host: LOOPBACK, port: worker.statusPort },
  });
}

function writeYaml(path: string, value: object): string {
  // In configuration `${` begins an environment variable and `$${` stands for the two characters.
  writeFileSync(
    path,
    stringify(value, { lineWidth: 0 }).replaceAll('${', () => '$${'),
  );
  return path;
}
