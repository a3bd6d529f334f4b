import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../scripts/stack/project-root.ts';
import type { Contender } from '../contender.ts';

/** The agent as users run it, journal and provenance and all, with the default settings but for what is given. */
export function skald({
  codec,
  partitioner = {},
}: {
  codec: 'zstd' | 'lz4';
  partitioner?: object;
}): Contender {
  return {
    name: `skald agent, ${codec}`,
    prepare: async ({ file, topic, bootstrap, directory }) => {
      const pipelinesDir = join(directory, 'pipelines');
      await mkdir(pipelinesDir);
      const stateDir = join(directory, 'state');
      const clusters = { main: { brokers: bootstrap } };
      const agent = {
        host: 'bench',
        stateDir,
        pipelinesDir,
        clusters,
        status: false,
        log: { level: 'warn' },
      };
      const pipeline = { files: { include: [file] }, kafka: { topic, codec }, partitioner };
      // JSON is YAML.
      await writeFile(join(directory, 'agent.yaml'), JSON.stringify(agent));
      await writeFile(join(pipelinesDir, 'bench.yaml'), JSON.stringify(pipeline));
      const main = join(projectRoot(), 'dist', 'cli', 'main.js');
      return { command: process.execPath, args: [main, 'agent', '-c', join(directory, 'agent.yaml')] };
    },
  };
}
