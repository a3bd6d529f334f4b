import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../scripts/stack/project-root.ts';
import type { Sink } from '../sink.ts';

/** kafkajs's own consumer with `eachBatch`, zlib's gzip and one PutObject for each chunk. */
export function kafkajsSink({ level, chunkBytes }: { level: number; chunkBytes: number }): Sink {
  return {
    name: `kafkajs eachBatch, gzip ${level}`,
    prepare: async ({ directory, ...job }) => {
      const file = join(directory, 'sink.json');
      await writeFile(file, JSON.stringify({ ...job, level, chunkBytes }));
      const program = join(projectRoot(), 'dist', 'bench', 'sinks', 'kafkajs-program.js');
      return { command: process.execPath, args: [program, file] };
    },
  };
}
