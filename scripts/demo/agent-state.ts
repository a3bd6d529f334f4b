import { z } from 'zod';
import type { ReadFile } from './line-source.ts';
import type { SkaldProcess } from './skald-process.ts';

/** How far all agents are together. */
export interface AgentState {
  /** Bytes in their files that are not acknowledged yet. */
  lagBytes: number;
  files: readonly ReadFile[];
}

/** The part of an agent's `/status` that the demo looks at. */
const statusSchema = z.object({
  pipelines: z.array(
    z.object({
      lagBytes: z.number(),
      files: z.array(z.object({ path: z.string(), readBytes: z.number() })),
    }),
  ),
});

/** Undefined unless all of them answer. */
export async function stateOf(agents: readonly SkaldProcess[]): Promise<AgentState | undefined> {
  const state = { lagBytes: 0, files: [] as ReadFile[] };
  for (const status of await Promise.all(agents.map((agent) => agent.status()))) {
    if (status === undefined) return undefined;
    for (const pipeline of statusSchema.parse(status).pipelines) {
      state.lagBytes += pipeline.lagBytes;
      state.files.push(...pipeline.files);
    }
  }
  return state;
}
