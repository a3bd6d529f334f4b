import { once } from 'node:events';
import { javaCommand, kafkaClassPath } from '../scripts/stack/jars.ts';
import { spawnWithLifeline } from '../scripts/stack/lifeline.ts';
import { LineDigester, type LineDigest } from './line-digest.ts';

const JVM_FLAGS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:-UsePerfData'];
const LOG_LEVEL = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
/** It ends when nothing has come for so long, should there be fewer records than asked for. */
const QUIET_MS = 30_000;
const TIMEOUT_MS = 900_000;

/**
 * The first `records` records of a topic by Apache's console consumer, which knows nothing of Skald and checks each batch's
 * CRC: the value of each, and a line feed. @throws Error when it fails or takes a quarter of an hour
 */
export async function readTopic(
  topic: string,
  records: number,
  bootstrap: readonly string[],
): Promise<LineDigest> {
  const args = [
    ...JVM_FLAGS,
    LOG_LEVEL,
    '-cp',
    kafkaClassPath(),
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    `--bootstrap-server=${bootstrap.join(',')}`,
    `--topic=${topic}`,
    `--max-messages=${records}`,
    '--from-beginning',
    `--timeout-ms=${QUIET_MS}`,
  ];
  const { child, release } = spawnWithLifeline(javaCommand(), args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  const digester = new LineDigester();
  child.stdout!.on('data', (piece: Buffer) => digester.add(piece));
  child.once('exit', release); // the lifeline is a stream of the child, too: it closes when that is let go
  await once(child, 'close');
  clearTimeout(timer);
  if (child.exitCode !== 0)
    throw new Error(
      `the console consumer ended with ${child.exitCode ?? child.signalCode} after ${digester.digest.lines} lines`,
    );
  return digester.digest;
}
