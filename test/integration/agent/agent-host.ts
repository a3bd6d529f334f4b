/** A host with files, one or more pipelines and an agent, as a user would set it up. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePorts, LOOPBACK } from '../../../scripts/stack/ports.ts';
import { type RunningSkald, startSkald } from '../../support/run-skald.ts';
import { sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';

export interface PipelineFile {
  topic: string;
  /** A glob in its directory; `*.log*` without it. */
  include?: string;
  /** YAML lines under `kafka:`. */
  kafka?: string[];
  /** With the intervals that users have by default; else they are short, so that tests are quick. */
  defaultIntervals?: boolean;
  /** Further YAML, from the left margin. */
  yaml?: string;
}

const SHORT_INTERVALS = `  lingerMs: 20
discovery:
  scanIntervalMs: 100
  pollIntervalMs: 20
  closeRotatedAfterMs: 300
  partialLineTimeoutMs: 300
`;

export interface AgentHost {
  stateDir: string;
  /** `<logs>/<pipeline>/` holds the files of a pipeline: `*.log*`. */
  logs: string;
  /** Ends with the test at the latest. */
  start(): RunningSkald;
  /** The agent's own view of a pipeline; undefined while it does not answer. */
  status(pipeline: string): Promise<PipelineReport | undefined>;
  /** Whether all that is in the file now, if there is one, is acknowledged, as well as everything else that the agent knows of. */
  hasCarried(pipeline: string, path: string): Promise<boolean>;
  /** The sum of a metric over all labels that match; 0 while there is none. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
}

export interface PipelineReport {
  pipeline: string;
  ready: boolean;
  lagBytes: number;
  openIntents: number;
  files: { path: string; sizeBytes: number; readBytes: number }[];
}

export async function agentHost(
  pipelines: Record<string, PipelineFile>,
  options: {
    bootstrap?: readonly string[];
    rack?: string;
    /** YAML lines under the cluster `main`. */
    cluster?: string[];
    /** Brokers of further clusters, for `kafka: ['cluster: NAME']`; the first one is `main`. */
    clusters?: Record<string, readonly string[]>;
    /** Further YAML, from the left margin. */
    agent?: string;
  } = {},
): Promise<AgentHost> {
  const directory = await tempDir();
  const [stateDir, logs, pipelinesDir] = ['state', 'logs', 'pipelines'].map((name) => join(directory, name));
  const [port] = await findFreePorts(1);
  const config = join(directory, 'agent.yaml');
  await mkdir(pipelinesDir!);
  await writeFile(
    config,
    `host: test-host
rack: ${options.rack ?? 'rack-a'}
stateDir: ${stateDir}
pipelinesDir: ${pipelinesDir}
clusters:
  main:
    brokers: ${JSON.stringify(options.bootstrap ?? sharedStack().bootstrap)}
    metadataMaxAgeMs: 2s
${(options.cluster ?? []).map((line) => `    ${line}\n`).join('')}${Object.entries(options.clusters ?? {})
      .map(([name, brokers]) => `  ${name}: { brokers: ${JSON.stringify(brokers)} }\n`)
      .join('')}status:
  host: ${LOOPBACK}
  port: ${port}
${options.agent ?? ''}`,
  );
  for (const [name, pipeline] of Object.entries(pipelines)) {
    const { topic, include = '*.log*', kafka = [], defaultIntervals = false, yaml = '' } = pipeline;
    await mkdir(join(logs!, name), { recursive: true });
    await writeFile(
      join(pipelinesDir!, `${name}.yaml`),
      `files:
  include: ['${logs}/${name}/${include}']
kafka:
  topic: ${topic}
${kafka.map((line) => `  ${line}\n`).join('')}${defaultIntervals ? '' : SHORT_INTERVALS}${yaml}`,
    );
  }

  const get = async (path: string): Promise<string> => {
    const answer = await fetch(`http://${LOOPBACK}:${port}${path}`, { signal: AbortSignal.timeout(5_000) });
    return answer.text();
  };
  const statusOf = async (pipeline: string): Promise<PipelineReport | undefined> => {
    try {
      const report: { pipelines: PipelineReport[] } = JSON.parse(await get('/status'));
      return report.pipelines.find((p) => p.pipeline === pipeline);
    } catch {
      return undefined;
    }
  };
  return {
    stateDir: stateDir!,
    logs: logs!,
    start: () => startSkald(['agent', '-c', config]),
    status: statusOf,
    hasCarried: async (pipeline, path) => {
      const sizeBytes = await stat(path).then(
        ({ size }) => size,
        () => undefined,
      );
      const status = await statusOf(pipeline);
      if (status === undefined || status.lagBytes > 0 || status.openIntents > 0) return false;
      const file = status.files.find((one) => one.path === path);
      return sizeBytes === undefined || file?.sizeBytes === sizeBytes;
    },
    metric: async (name, labels = {}) => {
      let sum = 0;
      for (const line of (await get('/metrics')).split('\n')) {
        const [, found, text = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
        const matches = Object.entries(labels).every(([key, label]) => text.includes(`${key}="${label}"`));
        if (found === name && matches) sum += Number(value);
      }
      return sum;
    },
  };
}

/** The largest resident set that a process has had, in bytes (proc(5), VmHWM). */
export async function peakMemoryBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}
