import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project-root.ts';
import { StackError } from './stack-error.ts';

export const DEFAULT_KAFKA_VERSION = '4.1.0';
export const S3PROXY_VERSION = '4.1.0';

/** The class path that holds the broker and its tools. Throws a StackError when that version was not fetched. */
export function kafkaClassPath(version: string = DEFAULT_KAFKA_VERSION): string {
  const directory = join(projectRoot(), '.stack', 'jars', `kafka-${version}`);
  if (!existsSync(directory)) {
    const option = version === DEFAULT_KAFKA_VERSION ? '' : ` --kafka ${version}`;
    throw new StackError(`Apache Kafka ${version} is not here; run: node scripts/setup.mjs${option}`);
  }
  return join(directory, '*');
}

/** Kafka Connect with its file connectors; undefined when it was not fetched, which `node scripts/setup.mjs --connect` does. */
export function connectClassPath(): string | undefined {
  const directory = join(projectRoot(), '.stack', 'jars', `connect-${DEFAULT_KAFKA_VERSION}`);
  return existsSync(directory) ? join(directory, '*') : undefined;
}

/** Throws a StackError when it was not fetched. */
export function s3ProxyJar(): string {
  const name = `s3proxy-${S3PROXY_VERSION}`;
  const jar = join(projectRoot(), '.stack', 'jars', name, `${name}-jar-with-dependencies.jar`);
  if (!existsSync(jar)) throw new StackError('S3Proxy is not here; run: node scripts/setup.mjs');
  return jar;
}

/** JAVA_HOME before the PATH, as Maven and Kafka's own scripts do. */
export function javaCommand(): string {
  const home = process.env['JAVA_HOME'];
  return home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
}
