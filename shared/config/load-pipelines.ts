import type { SkaldError } from '../errors.ts';
import type { AgentConfig } from './agent-config.ts';
import type { Environment } from './interpolate.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { pipelineFolder } from './pipeline-folder.ts';

export interface LoadedPipelines {
  readonly pipelines: readonly PipelineConfig[];
  /** One for each file that is refused, and one for the folder if it cannot be read. */
  readonly errors: readonly SkaldError[];
}

/** All pipelines of a folder, in the order of their file names. A broken file never hides the others. Never throws. */
export function loadPipelines(
  dir: string,
  agent: Pick<AgentConfig, 'clusters' | 'limits'>,
  env: Environment = process.env,
): LoadedPipelines {
  const { pipelines, refused } = pipelineFolder(dir, agent, env).look('now');
  return { pipelines: [...pipelines.values()], errors: refused.map(({ error }) => error) };
}
