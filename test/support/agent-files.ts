import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sharedStack } from './shared-stack.ts';

export interface AgentFiles {
  /** For `skald agent -c`. */
  config: string;
  logs: string;
  stateDir: string;
}

/** The two small files that a user writes, for one pipeline `app` over `<directory>/logs/*.log*`. */
export async function agentFiles(
  directory: string,
  topic: string,
  options: {
    rack?: string;
    pipeline?: string;
    agent?: string;
    cluster?: string;
    bootstrap?: readonly string[];
  } = {},
): Promise<AgentFiles> {
  const logs = join(directory, 'logs');
  const stateDir = join(directory, 'state');
  const pipelines = join(directory, 'pipelines');
  for (const folder of [logs, pipelines]) await mkdir(folder, { recursive: true });
  const config = join(directory, 'agent.yaml');
  const bootstrap = options.bootstrap ?? sharedStack().bootstrap;
  await writeFile(
    config,
    `host: test-host
rack: ${options.rack ?? 'rack-a'}
stateDir: ${stateDir}
pipelinesDir: ${pipelines}
clusters:
  main:
    brokers: ${JSON.stringify(bootstrap)}
${options.cluster ?? ''}status: false
${options.agent ?? ''}`,
  );
  await writeFile(
    join(pipelines, 'app.yaml'),
    `files:
  include: [${logs}/*.log*]
kafka:
  topic: ${topic}
  lingerMs: 20
discovery:
  scanIntervalMs: 100
  pollIntervalMs: 20
  closeRotatedAfterMs: 300
  partialLineTimeoutMs: 300
${options.pipeline ?? ''}`,
  );
  return { config, logs, stateDir };
}
