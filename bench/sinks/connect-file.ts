import { createReadStream, existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectClassPath, javaCommand } from '../../scripts/stack/jars.ts';
import { findFreePorts, LOOPBACK } from '../../scripts/stack/ports.ts';
import type { Sink } from '../sink.ts';

const READ_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;
/** Of a process that SIGTERM has ended, as a JVM says it. */
const SIGTERM_EXIT_CODE = 143;

/**
 * Kafka Connect's worker with the connector that writes values to a file: consumer, converter and put without any codec, and
 * without S3. A connector for S3 does the same and more. Of the heap of a gigabyte it takes a third.
 */
export const connectFileSink: Sink = {
  name: 'Kafka Connect, file, no codec',
  isInstalled: () => connectClassPath() !== undefined,
  prepare: async ({ topic, group, bootstrap, directory }) => {
    const folder = join(directory, 'out');
    await mkdir(folder);
    const file = join(folder, 'values.log');
    const port = (await findFreePorts(1))[0]!;
    const worker = join(directory, 'worker.properties');
    await writeFile(
      worker,
      propertiesOf({
        'bootstrap.servers': bootstrap.join(','),
        'key.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
        'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
        'offset.storage.file.filename': join(directory, 'offsets'),
        'consumer.auto.offset.reset': 'earliest',
        'plugin.discovery': 'service_load',
        listeners: `http://${LOOPBACK}:${port}`,
      }),
    );
    const sink = join(directory, 'sink.properties');
    await writeFile(
      sink,
      propertiesOf({
        name: group,
        'connector.class': 'org.apache.kafka.connect.file.FileStreamSinkConnector',
        'tasks.max': '1',
        topics: topic,
        file,
      }),
    );
    const main = 'org.apache.kafka.connect.cli.ConnectStandalone';
    const log = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
    return {
      command: javaCommand(),
      args: ['-Xmx1g', log, '-cp', connectClassPath()!, main, worker, sink],
      takenRecords: lineCounter(file),
      exitCode: SIGTERM_EXIT_CODE,
      folder,
    };
  },
};

function propertiesOf(properties: Record<string, string>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** Counts the lines of a file that grows; 0 while it does not exist. */
function lineCounter(file: string): () => Promise<number> {
  let at = 0;
  let lines = 0;
  return async () => {
    if (!existsSync(file)) return 0;
    const grown: AsyncIterable<Buffer> = createReadStream(file, { start: at, highWaterMark: READ_BYTES });
    for await (const piece of grown) {
      at += piece.length;
      for (let i = piece.indexOf(LINE_FEED); i !== -1; i = piece.indexOf(LINE_FEED, i + 1)) lines += 1;
    }
    return lines;
  };
}
