import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Peer } from '../peer.ts';
import { findProgram, programVersion } from './installed.ts';
import { librdkafkaSettings } from './librdkafka.ts';

/** Settings that librdkafka has for each topic. */
const OF_TOPIC: ReadonlySet<string> = new Set(['acks', 'compression.codec', 'compression.level']);

/** imfile to omkafka, with queues and batches for throughput. Debian: rsyslog, rsyslog-kafka. */
export const rsyslog: Peer = {
  name: 'rsyslog',
  codecs: ['lz4', 'zstd'],
  version: () => programVersion('rsyslogd', ['-v'], /rsyslogd +(\S+)/),
  prepare: async ({ file, topic, bootstrap, codec, directory }) => {
    const list = (values: readonly string[]): string => `[${values.map((value) => `"${value}"`).join(', ')}]`;
    const all = Object.entries(librdkafkaSettings(codec));
    const text = ([key, value]: [string, string]): string => `${key}=${value}`;
    const settings = all.filter(([key]) => !OF_TOPIC.has(key)).map(text);
    // omkafka makes a topic's settings of its own, so these are not taken over from the others.
    const ofTopic = all.filter(([key]) => OF_TOPIC.has(key)).map(text);
    const config = join(directory, 'rsyslog.conf');
    const lines = `
global(workDirectory="${directory}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omkafka")
main_queue(queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="4096" queue.workerThreads="1")
template(name="line" type="string" string="%msg%")
input(type="imfile" file="${file}" tag="bench" freshStartTail="off")
action(type="omkafka" broker=${list(bootstrap)} topic="${topic}" template="line" partitions.auto="on"
  resubmitOnFailure="on" confParam=${list(settings)} topicConfParam=${list(ofTopic)})
`;
    await writeFile(config, lines);
    const args = ['-n', '-f', config, '-i', join(directory, 'rsyslogd.pid')];
    return { command: (await findProgram('rsyslogd'))!, args };
  },
};
