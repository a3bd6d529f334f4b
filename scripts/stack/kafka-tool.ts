import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { javaCommand, kafkaClassPath } from './jars.ts';
import { spawnWithLifeline } from './lifeline.ts';

const JVM_FLAGS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
const LOG_LEVEL = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
const DEFAULT_TIMEOUT_MS = 60_000;
const TAIL_LINES = 20;

export interface KafkaToolOptions {
  stdin?: string | Uint8Array;
  timeoutMs?: number;
  kafkaVersion?: string | undefined;
}

export interface KafkaToolOutput {
  /** Decoded as UTF-8; `stdoutBytes` is what really came. */
  stdout: string;
  stdoutBytes: Buffer;
  stderr: string;
}

/**
 * Runs one of Apache Kafka's own tools, an independent witness for tests: org.apache.kafka.tools.TopicCommand,
 * .ConsoleProducer, .consumer.ConsoleConsumer, .consumer.group.ConsumerGroupCommand, .GetOffsetShell, or
 * kafka.tools.DumpLogSegments. Rejects with the end of its output when it fails or takes longer than `timeoutMs`.
 */
export async function kafkaTool(
  className: string,
  args: readonly string[],
  { stdin = '', timeoutMs = DEFAULT_TIMEOUT_MS, kafkaVersion }: KafkaToolOptions = {},
): Promise<KafkaToolOutput> {
  const java = [...JVM_FLAGS, LOG_LEVEL, '-cp', kafkaClassPath(kafkaVersion), className, ...args];
  const { child, release } = spawnWithLifeline(javaCommand(), java, { stdio: ['pipe', 'pipe', 'pipe'] });
  const stdout = collect(child.stdout!);
  const stderr = collect(child.stderr!);
  // A tool that ends before it has read everything breaks the pipe; its exit code says whether that was a failure.
  child.stdin!.on('error', () => {});
  child.stdin!.end(stdin);

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  child.once('exit', release);
  await once(child, 'close');
  clearTimeout(timer);

  const stdoutBytes = Buffer.concat(stdout);
  const output = { stdoutBytes, stdout: stdoutBytes.toString(), stderr: Buffer.concat(stderr).toString() };
  if (child.exitCode === 0) return output;
  const tail = `${output.stdout}${output.stderr}`.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
  const reason = timedOut
    ? `not done after ${timeoutMs} ms`
    : `exit code ${child.exitCode ?? child.signalCode}`;
  throw new Error(`${className}: ${reason}\n${tail}`);
}

function collect(stream: Readable): Buffer[] {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return chunks;
}
