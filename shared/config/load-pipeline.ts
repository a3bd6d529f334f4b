import { basename, resolve } from 'node:path';
import type { z } from 'zod';
import type { AgentConfig } from './agent-config.ts';
import { levelOrDefault } from './codec-fields.ts';
import { readConfigText, unreadable } from './config-text.ts';
import { resolveFraming } from './framing-config.ts';
import type { Environment } from './interpolate.ts';
import { parseConfig, type Report } from './parse-config.ts';
import { PIPELINE_NAME, pipelineConfigSchema, type PipelineConfig } from './pipeline-config.ts';
import { resolvePartitioner } from './partitioner-config.ts';

const EXTENSION = '.yaml';

/**
 * One pipeline: read, checked against the host file, defaulted and frozen.
 * @throws SkaldError CONFIG_UNREADABLE or CONFIG_INVALID, with every problem of the file.
 */
export function loadPipelineFile(
  path: string,
  agent: Pick<AgentConfig, 'clusters' | 'limits'>,
  env: Environment = process.env,
): PipelineConfig {
  const file = resolve(path);
  return parsePipeline(file, readConfigText(file), agent, env);
}

/** As loadPipelineFile, from text that is already there; `file` is where it is said to come from. */
export function parsePipeline(
  file: string,
  text: string,
  agent: Pick<AgentConfig, 'clusters' | 'limits'>,
  env: Environment = process.env,
): PipelineConfig {
  if (file.endsWith('.yml')) throw unreadable(file, `is not read: pipelines end in ${EXTENSION}; rename it`);
  return parseConfig(
    file,
    text,
    env,
    pipelineConfigSchema,
    (parsed: z.output<typeof pipelineConfigSchema>, report) => {
      const { name, kafka, ...settings } = parsed;
      const limit = Math.floor(agent.limits.memoryBytes / 2);
      const tooLarge = `must not be more than half of limits.memoryBytes of the host file, ${limit} bytes`;
      if (kafka.batchBytes > limit) report(['kafka', 'batchBytes'], tooLarge);
      if (settings.framing.maxRecordBytes > limit) report(['framing', 'maxRecordBytes'], tooLarge);
      return {
        name: name ?? nameOf(file, report),
        file,
        ...settings,
        framing: resolveFraming(settings.framing),
        kafka: {
          ...kafka,
          cluster: clusterOf(kafka.cluster, Object.keys(agent.clusters), report),
          level: levelOrDefault(kafka.codec, kafka.level),
        },
        partitioner: resolvePartitioner(settings.partitioner),
      };
    },
  );
}

function clusterOf(named: string | undefined, clusters: readonly string[], report: Report): string {
  const [only = ''] = clusters;
  if (named === undefined) {
    if (clusters.length > 1)
      report(['kafka', 'cluster'], `is missing; the host file has ${clusters.join(', ')}`);
    return only;
  }
  if (!clusters.includes(named))
    report(['kafka', 'cluster'], `must be a cluster of the host file: ${clusters.join(', ')}`);
  return named;
}

function nameOf(file: string, report: Report): string {
  const name = basename(file, EXTENSION);
  if (!PIPELINE_NAME.test(name)) {
    report(
      [],
      `the file name must be letters, digits, dots, underscores and dashes, or the file must give a name`,
    );
  }
  return name;
}
