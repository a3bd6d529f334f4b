import type { Peer } from '../peer.ts';
import { findProgram, programVersion } from './installed.ts';
import { librdkafkaSettings } from './librdkafka.ts';

/** librdkafka with next to nothing around it: reads the file once, remembers nothing and ends. Debian: kcat. */
export const kcat: Peer = {
  name: 'kcat',
  codecs: ['lz4', 'zstd'],
  version: () => programVersion('kcat', ['-V'], /Version (\S+) .*(librdkafka \S+)/),
  prepare: async ({ file, topic, bootstrap, codec }) => {
    const settings = Object.entries(librdkafkaSettings(codec)).flatMap(([key, value]) => [
      '-X',
      `${key}=${value}`,
    ]);
    const args = ['-P', '-q', '-b', bootstrap.join(','), '-t', topic, ...settings, '-l', file];
    return { command: (await findProgram('kcat'))!, args };
  },
};
