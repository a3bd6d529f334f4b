import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Peer } from '../peer.ts';
import { findProgram, programVersion } from './installed.ts';
import { librdkafkaSettings } from './librdkafka.ts';

/** file() to kafka-c(), with windows for throughput and flow control. Debian: syslog-ng-core, syslog-ng-mod-rdkafka. */
export const syslogNg: Peer = {
  name: 'syslog-ng',
  codecs: ['lz4', 'zstd'],
  version: () => programVersion('syslog-ng', ['--version'], /^syslog-ng .*\((\S+)\)/m),
  prepare: async ({ file, topic, bootstrap, codec, directory }) => {
    const settings = Object.entries(librdkafkaSettings(codec)).map(([key, value]) => `${key}("${value}")`);
    const config = join(directory, 'syslog-ng.conf');
    const text = `@version: 3.38
options { threaded(yes); stats-freq(0); };
source lines {
  file("${file}" flags(no-parse) log-fetch-limit(10000) log-iw-size(100000) log-msg-size(65536));
};
destination topic {
  kafka-c(
    bootstrap-servers("${bootstrap.join(',')}") topic("${topic}") message("$MESSAGE") log-fifo-size(200000)
    config(${settings.join(' ')})
  );
};
log { source(lines); destination(topic); flags(flow-control); };
`;
    await writeFile(config, text);
    const own = ['persist-file', 'pidfile', 'control'].map((name) => `--${name}=${join(directory, name)}`);
    const args = ['--foreground', '--no-caps', `--cfgfile=${config}`, ...own];
    return { command: (await findProgram('syslog-ng'))!, args };
  },
};
