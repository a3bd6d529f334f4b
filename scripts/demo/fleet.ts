import { findFreePorts } from '../stack/ports.ts';
import type { S3Access } from '../stack/s3proxy.ts';
import { writeAgentConfig, writeWorkerConfig } from './config-files.ts';
import type { DemoError } from './demo-error.ts';
import { createSkaldProcess } from './skald-process.ts';
import type { SkaldProcess } from './skald-process.ts';
import type { Workspace } from './workspace.ts';

export const TOPIC = 'demo';
export const GROUP = 'skald-demo';
export const PREFIX = 'logs';
/** Of three racks with a broker each, two have an agent and a transporter worker. */
const PLACES = ['a', 'b'] as const;

/** The agents and the transporter workers, in their racks. */
export interface Fleet {
  readonly agents: readonly SkaldProcess[];
  readonly workers: readonly SkaldProcess[];
}

export interface FleetOptions {
  workspace: Workspace;
  bootstrap: readonly string[];
  s3: S3Access;
  /** Globs for the agent of each rack; a rack whose list is empty has no agent. */
  include: readonly (readonly string[])[];
  onUnexpectedEnd: (error: DemoError) => void;
}

/** Writes the configuration of each; starts nothing yet. */
export async function prepareFleet(options: FleetOptions): Promise<Fleet> {
  const { workspace, bootstrap, s3, include, onUnexpectedEnd } = options;
  const ports = await findFreePorts(PLACES.length * 2);
  const agents: SkaldProcess[] = [];
  const workers: SkaldProcess[] = [];
  const prepare = (name: string, statusPort: number, command: string, file: string): SkaldProcess =>
    createSkaldProcess({
      name,
      args: [command, '-c', file],
      statusPort,
      logFile: workspace.logOf(name),
      onUnexpectedEnd,
    });

  for (const [index, place] of PLACES.entries()) {
    const rack = `rack-${place}`;
    const globs = include[index] ?? [];
    if (globs.length > 0) {
      const name = `agent-${place}`;
      const statusPort = ports.pop()!;
      const agent = { home: workspace.homeOf(name), host: `host-${place}`, rack, bootstrap, statusPort };
      const file = writeAgentConfig({ ...agent, topic: TOPIC, include: globs });
      agents.push(prepare(name, statusPort, 'agent', file));
    }
    const member = `worker-${place}`;
    const statusPort = ports.pop()!;
    const worker = { home: workspace.homeOf(member), member, rack, bootstrap, statusPort, s3 };
    const file = writeWorkerConfig({ ...worker, group: GROUP, topic: TOPIC, prefix: PREFIX });
    workers.push(prepare(member, statusPort, 'transporter', file));
  }
  return { agents, workers };
}
