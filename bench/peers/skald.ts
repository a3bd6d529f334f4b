import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../../scripts/stack/project-root.ts';
import { type Peer, type PeerCommand, type PeerJob, ZSTD_LEVEL } from '../peer.ts';

/** The agent as users run it, journal and provenance and all, with the default settings but for what is given. */
export const skald: Peer = {
  name: 'skald agent',
  codecs: ['lz4', 'zstd'],
  version: async () => {
    const text = await readFile(join(projectRoot(), 'package.json'), 'utf8');
    return `${z.object({ version: z.string() }).parse(JSON.parse(text)).version}, Node ${process.versions.node}`;
  },
  prepare: (job) => prepareAgent(job),
};

/** `host` and `pipeline` are added to the two files of configuration. */
export async function prepareAgent(
  { file, topic, bootstrap, codec, directory }: PeerJob,
  { host = {}, pipeline = {} }: { host?: object; pipeline?: object } = {},
): Promise<PeerCommand> {
  const pipelinesDir = join(directory, 'pipelines');
  await mkdir(pipelinesDir);
  const hostFile = {
    host: 'bench',
    stateDir: join(directory, 'state'),
    pipelinesDir,
    clusters: { main: { brokers: bootstrap } },
    status: false,
    log: { level: 'warn' },
    ...host,
  };
  const kafka = { topic, codec, ...(codec === 'zstd' && { level: ZSTD_LEVEL }) };
  // JSON is YAML.
  await writeFile(join(directory, 'agent.yaml'), JSON.stringify(hostFile));
  const pipelineFile = { files: { include: [file] }, kafka, ...pipeline };
  await writeFile(join(pipelinesDir, 'bench.yaml'), JSON.stringify(pipelineFile));
  const main = join(projectRoot(), 'dist', 'cli', 'main.js');
  return { command: process.execPath, args: [main, 'agent', '-c', join(directory, 'agent.yaml')] };
}
