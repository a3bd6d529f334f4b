import { fileURLToPath } from 'node:url';
import type { Peer } from '../peer.ts';

/** kafkajs's own producer.send, given lines as cheaply as JavaScript can split them. It has no codec but gzip; ours is lent. */
export const kafkajsProducer: Peer = {
  name: 'kafkajs',
  codecs: ['lz4'],
  version: () => Promise.resolve('2.2.4, producer.send'),
  prepare: ({ file, topic, bootstrap }) =>
    Promise.resolve({
      command: process.execPath,
      args: [fileURLToPath(new URL('./kafkajs-program.js', import.meta.url)), file, topic, ...bootstrap],
    }),
};
