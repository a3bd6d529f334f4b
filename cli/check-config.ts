import { resolve } from 'node:path';
import { DEFAULT_AGENT_FILE, type AgentConfig } from '../shared/config/agent-config.ts';
import type { ClusterConfig } from '../shared/config/cluster-config.ts';
import { readConfigText } from '../shared/config/config-text.ts';
import { loadAgentConfig } from '../shared/config/load-agent-config.ts';
import { loadPipelines } from '../shared/config/load-pipelines.ts';
import { loadTransporterConfig } from '../shared/config/load-transporter-config.ts';
import type { PipelineConfig } from '../shared/config/pipeline-config.ts';
import type { StatusConfig } from '../shared/config/process-config.ts';
import { childOf } from '../shared/config/schema-node.ts';
import { DEFAULT_TRANSPORTER_FILE, type TransporterConfig } from '../shared/config/transporter-config.ts';
import { readYaml } from '../shared/config/yaml-document.ts';
import { isSkaldError } from '../shared/errors.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

export const CONFIG_KINDS = ['agent', 'transporter'] as const;

export type ConfigKind = (typeof CONFIG_KINDS)[number];

/**
 * `skald check-config`: reads the files as the program would, without touching the network or any state, and prints what
 * would run, or every error. Without a kind, the file's own keys tell.
 */
export function checkConfig(
  kind: ConfigKind | undefined,
  file: string | undefined,
  terminal: Terminal,
): ExitCode {
  try {
    const chosen = kind ?? (file === undefined ? 'agent' : kindOf(file, terminal));
    return chosen === 'agent'
      ? checkAgent(file ?? DEFAULT_AGENT_FILE, terminal)
      : checkTransporter(file ?? DEFAULT_TRANSPORTER_FILE, terminal);
  } catch (error) {
    if (!isSkaldError(error)) throw error;
    terminal.complain(error.message);
    return EXIT.error;
  }
}

function kindOf(file: string, { env }: Terminal): ConfigKind {
  const { value } = readYaml(readConfigText(file), env);
  return ['cluster', 'topics', 'store'].some((key) => childOf(value, key) !== undefined)
    ? 'transporter'
    : 'agent';
}

function checkAgent(file: string, terminal: Terminal): ExitCode {
  const config = loadAgentConfig(file, terminal.env);
  const { pipelines, errors } = loadPipelines(config.pipelinesDir, config, terminal.env);
  print(terminal, [
    `${resolve(file)} is valid`,
    ...describeAgent(config),
    ...pipelines.flatMap(describePipeline),
    ...(pipelines.length === 0
      ? [`  no pipeline in ${config.pipelinesDir} yet: the agent waits for one`]
      : []),
  ]);
  for (const error of errors) terminal.complain(error.message);
  return errors.length > 0 ? EXIT.error : EXIT.ok;
}

function checkTransporter(file: string, terminal: Terminal): ExitCode {
  const config = loadTransporterConfig(file, terminal.env);
  print(terminal, [`${resolve(file)} is valid`, ...describeTransporter(config)]);
  return EXIT.ok;
}

function describeAgent(config: AgentConfig): string[] {
  return [
    `  host: ${config.host}, rack: ${describeRack(config)}`,
    `  state: ${config.stateDir}, memory: ${config.limits.memoryBytes} bytes, status: ${describeStatus(config.status)}`,
    ...Object.entries(config.clusters).map(
      ([name, cluster]) => `  cluster ${name}: ${describeCluster(cluster)}`,
    ),
  ];
}

function describePipeline({ name, files, kafka, partitioner }: PipelineConfig): string[] {
  const except = files.exclude.length > 0 ? `, except ${files.exclude.join(' ')}` : '';
  return [
    `  pipeline ${name}: ${files.include.join(' ')}${except}`,
    `    to topic ${kafka.topic} of ${kafka.cluster}, ${compression(kafka)}, ${partitioner.type}, rack: ${partitioner.rack}`,
  ];
}

function describeTransporter(config: TransporterConfig): string[] {
  const { store } = config;
  const target =
    store.type === 's3' ? `s3://${store.bucket} (${store.endpoint ?? store.region})` : store.directory;
  return [
    `  member ${config.member} of group ${config.group}, rack: ${describeRack(config)}`,
    `  memory: ${config.limits.memoryBytes} bytes, status: ${describeStatus(config.status)}`,
    `  cluster: ${describeCluster(config.cluster)}`,
    `  store: ${target}`,
    ...config.topics.flatMap((topic) => [
      `  topic ${topic.topic}: ${topic.template.replace('{prefix}', topic.prefix).replace('{topic}', topic.topic)}`,
      `    ${topic.format}, ${compression(topic)}, by ${topic.bucket} (${topic.timeZone}), ` +
        `cut at ${topic.chunk.maxBytes} bytes or ${topic.chunk.maxAgeMs} ms`,
    ]),
  ];
}

function describeRack({ rack, rackFrom }: Pick<AgentConfig, 'rack' | 'rackFrom'>): string {
  return rack ?? (rackFrom === undefined ? 'unknown' : `asked for at the start (EC2, ${rackFrom.item})`);
}

/** Names who logs in, never with what. */
function describeCluster({ brokers, tls, sasl }: ClusterConfig): string {
  const login = sasl === undefined ? '' : `, ${sasl.mechanism} as ${sasl.username}`;
  return `${brokers.join(' ')}${tls === undefined ? '' : ', TLS'}${login}`;
}

function describeStatus(status: StatusConfig): string {
  return status === false ? 'off' : `http://${status.host}:${status.port}/status`;
}

function compression({
  codec,
  level,
}: {
  readonly codec: string;
  readonly level?: number | undefined;
}): string {
  return level === undefined ? codec : `${codec} ${level}`;
}

function print(terminal: Terminal, lines: readonly string[]): void {
  for (const line of lines) terminal.print(line);
}
