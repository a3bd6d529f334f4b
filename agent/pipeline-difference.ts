import { isDeepStrictEqual } from 'node:util';
import type { PipelineConfig } from '../shared/config/pipeline-config.ts';

type Pipelines = ReadonlyMap<string, PipelineConfig>;

export interface PipelineDifference {
  readonly start: readonly PipelineConfig[];
  /** With settings that changed; each keeps its name and therefore its journal. */
  readonly replace: readonly PipelineConfig[];
  /** Names. */
  readonly stop: readonly string[];
}

/** What turns the pipelines that were wanted into those that are wanted now. What is equal is in none of the lists. */
export function pipelineDifference(before: Pipelines, now: Pipelines): PipelineDifference {
  const changed = [...now.values()].filter((config) => !sameSettings(before.get(config.name), config));
  return {
    start: changed.filter(({ name }) => !before.has(name)),
    replace: changed.filter(({ name }) => before.has(name)),
    stop: [...before.keys()].filter((name) => !now.has(name)),
  };
}

/** A pipeline is its name and its settings; the file that it comes from may be renamed. */
function sameSettings(a: PipelineConfig | undefined, b: PipelineConfig): boolean {
  if (a === undefined) return false;
  return a === b || isDeepStrictEqual({ ...a, file: b.file }, b);
}
