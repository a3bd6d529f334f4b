import { resolve } from 'node:path';
import type { z } from 'zod';
import { agentConfigSchema, type AgentConfig } from './agent-config.ts';
import { readConfigText } from './config-text.ts';
import type { Environment } from './interpolate.ts';
import { thisMachine, type Machine } from './machine.ts';
import { parseConfig } from './parse-config.ts';
import { referencedFiles } from './referenced-file.ts';
import { resolveCluster } from './resolve-cluster.ts';
import { resolveRack } from './resolve-rack.ts';

/**
 * The agent's host file: read, checked, defaulted and frozen.
 * @throws SkaldError CONFIG_UNREADABLE or CONFIG_INVALID, with every problem of the file.
 */
export function loadAgentConfig(
  path: string,
  env: Environment,
  machine: Machine = thisMachine(),
): AgentConfig {
  const file = resolve(path);
  return parseAgentConfig(file, readConfigText(file), env, machine);
}

/** As loadAgentConfig, from text that is already there; `file` is where it is said to come from. */
export function parseAgentConfig(
  file: string,
  text: string,
  env: Environment,
  machine: Machine = thisMachine(),
): AgentConfig {
  return parseConfig(
    file,
    text,
    env,
    agentConfigSchema,
    (parsed: z.output<typeof agentConfigSchema>, report) => {
      const files = referencedFiles(file, report);
      const { host, rack, rackFile, rackFrom, clusters, ...settings } = parsed;
      return {
        ...settings,
        host: host ?? machine.hostname,
        ...resolveRack({ rack, rackFile, rackFrom }, env, files, report),
        stateDir: files.absolute(settings.stateDir),
        pipelinesDir: files.absolute(settings.pipelinesDir),
        clusters: Object.fromEntries(
          Object.entries(clusters).map(([name, cluster]) => [
            name,
            resolveCluster(cluster, ['clusters', name], files),
          ]),
        ),
      };
    },
  );
}
