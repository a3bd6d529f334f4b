import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { findFreePorts, LOOPBACK } from '../../scripts/stack/ports.ts';
import { projectRoot } from '../../scripts/stack/project-root.ts';
import type { S3Access } from '../../scripts/stack/s3proxy.ts';
import type { Sink } from '../sink.ts';

const statusSchema = z.object({ partitions: z.array(z.object({ position: z.number().optional() })) });

/** One worker of the transporter as users run it, with the default settings but for what is given. */
export function skaldSink(name: string, objects: object, chunk: object): Sink {
  return {
    name,
    prepare: async ({ topic, group, bootstrap, s3, prefix, directory }) => {
      const port = (await findFreePorts(1))[0]!;
      const config = {
        cluster: { brokers: bootstrap },
        group,
        topics: [{ topic }],
        store: s3StoreOf(s3),
        objects: { prefix, ...objects },
        chunk,
        status: { port },
        log: { level: 'warn' },
      };
      const file = join(directory, 'transporter.yaml');
      await writeFile(file, JSON.stringify(config)); // JSON is YAML
      return {
        command: process.execPath,
        args: [join(projectRoot(), 'dist', 'cli', 'main.js'), 'transporter', '-c', file],
        takenRecords: async () => {
          const answer = await fetch(`http://${LOOPBACK}:${port}/status`).catch(() => undefined);
          if (answer === undefined) return 0; // it does not listen yet
          const { partitions } = statusSchema.parse(await answer.json());
          return partitions.reduce((sum, { position = 0 }) => sum + position, 0);
        },
      };
    },
  };
}

export function s3StoreOf({ endpoint, region, bucket, accessKeyId, secretAccessKey }: S3Access): object {
  return { type: 's3', endpoint, region, bucket, accessKeyId, secretAccessKey, forcePathStyle: true };
}
