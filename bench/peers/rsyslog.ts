import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Peer } from '../peer.ts';
import { findProgram, programVersion } from './installed.ts';
import { librdkafkaSettings } from './librdkafka.ts';

/** imfile to omkafka, with queues and batches for throughput. Debian: rsyslog, rsyslog-kafka. */
export const rsyslog: Peer = {
  name: 'rsyslog',
  codecs: ['lz4', 'zstd'],
  version: () => programVersion('rsyslogd', ['-v'], /rsyslogd +(\S+)/),
  prepare: async ({ file, topic, bootstrap, codec, directory }) => {
    const list = (values: readonly string[]): string => `[${values.map((value) => `"${value}"`).join(', ')}]`;
    const settings = Object.entries(librdkafkaSettings(codec)).map(([key, value]) => `${key}=${value}`);
    const config = join(directory, 'rsyslog.conf');
    const text = `
global(workDirectory="${directory}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omkafka")
main_queue(queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="4096" queue.workerThreads="1")
template(name="line" type="string" string="%msg%")
input(type="imfile" file="${file}" tag="bench" freshStartTail="off")
action(type="omkafka" broker=${list(bootstrap)} topic="${topic}" template="line" partitions.auto="on"
  resubmitOnFailure="on" confParam=${list(settings)})
`;
    await writeFile(config, text);
    const args = ['-n', '-f', config, '-i', join(directory, 'rsyslogd.pid')];
    return { command: (await findProgram('rsyslogd'))!, args };
  },
};
