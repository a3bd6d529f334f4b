import { basename, extname, resolve } from 'node:path';
import type { z } from 'zod';
import { readConfigText } from './config-text.ts';
import type { Environment } from './interpolate.ts';
import { thisMachine, type Machine } from './machine.ts';
import { parseConfig } from './parse-config.ts';
import { referencedFiles } from './referenced-file.ts';
import { resolveCluster } from './resolve-cluster.ts';
import { resolveRack } from './resolve-rack.ts';
import { resolveTopic } from './topic-config.ts';
import {
  DECODE_THREAD_BYTES,
  transporterConfigSchema,
  type TransporterConfig,
} from './transporter-config.ts';

/**
 * The transporter's file: read, checked, defaulted and frozen.
 * @throws SkaldError CONFIG_UNREADABLE or CONFIG_INVALID, with every problem of the file.
 */
export function loadTransporterConfig(
  path: string,
  env: Environment,
  machine: Machine = thisMachine(),
): TransporterConfig {
  const file = resolve(path);
  return parseTransporterConfig(file, readConfigText(file), env, machine);
}

/** As loadTransporterConfig, from text that is already there; `file` is where it is said to come from. */
export function parseTransporterConfig(
  file: string,
  text: string,
  env: Environment,
  machine: Machine = thisMachine(),
): TransporterConfig {
  const fill = (
    parsed: z.output<typeof transporterConfigSchema>,
    report: Parameters<typeof referencedFiles>[1],
  ) => {
    const files = referencedFiles(file, report);
    const { cluster, member, rack, rackFile, rackFrom, topics, store, limits, ...settings } = parsed;
    return {
      ...settings,
      cluster: resolveCluster(cluster, ['cluster'], files),
      member: member ?? defaultMember(machine.hostname, file),
      ...resolveRack({ rack, rackFile, rackFrom }, env, files, report),
      topics: topics.map((topic) => resolveTopic(topic, settings)),
      store: store.type === 'local' ? { ...store, directory: files.absolute(store.directory) } : store,
      limits: {
        ...limits,
        decodeThreads: limits.decodeThreads ?? threadsThatFit(limits.memoryBytes, machine.cores),
      },
    };
  };
  return parseConfig(file, text, env, transporterConfigSchema, fill);
}

/** Stable over restarts, and distinct for two workers on one machine that have a file each. */
function defaultMember(hostname: string, file: string): string {
  return `${hostname}-${basename(file, extname(file))}`.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 249);
}

/** One for each core, if there is memory for so many; one in any case. */
function threadsThatFit(memoryBytes: number, cores: number): number {
  return Math.max(1, Math.min(cores, Math.floor(memoryBytes / 2 / DECODE_THREAD_BYTES)));
}
