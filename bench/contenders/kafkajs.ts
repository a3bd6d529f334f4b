import { fileURLToPath } from 'node:url';
import type { Contender } from '../contender.ts';

/** kafkajs's own producer.send with lz4, given lines as cheaply as JavaScript can split them. */
export const kafkajsLz4: Contender = {
  name: 'kafkajs producer.send, lz4',
  prepare: ({ file, topic, bootstrap }) =>
    Promise.resolve({
      command: process.execPath,
      args: [fileURLToPath(new URL('./kafkajs-program.js', import.meta.url)), file, topic, ...bootstrap],
    }),
};
