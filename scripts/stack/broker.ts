import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brokerSettings, CLUSTER_ID, toProperties } from './broker-settings.ts';
import type { BrokerNode, BrokerSettings } from './broker-settings.ts';
import { javaCommand, kafkaClassPath } from './jars.ts';
import { kafkaTool } from './kafka-tool.ts';
import { startSupervised } from './supervised-child.ts';
import type { SupervisedChild } from './supervised-child.ts';

const FORMAT_TIMEOUT_MS = 60_000;

/**
 * Tuned for a quick start on few cores, which is where a test stack spends its time. The first compiler alone starts
 * a cluster in half the time and takes no more CPU to serve it: a broker mostly moves bytes.
 */
const JVM_FLAGS = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];

export interface BrokerOptions {
  dataDir: string;
  kafkaVersion: string | undefined;
  extraSettings: BrokerSettings | undefined;
}

export interface BrokerFiles {
  propertiesFile: string;
  logFile: string;
  tempDir: string;
}

/** Writes the node's configuration and formats its storage, unless that was done before. */
export async function prepareBroker(
  node: BrokerNode,
  nodes: readonly BrokerNode[],
  { dataDir, kafkaVersion, extraSettings }: BrokerOptions,
): Promise<BrokerFiles> {
  const home = join(dataDir, `broker-${node.id}`);
  const logDir = join(home, 'data');
  const tempDir = join(home, 'tmp');
  const propertiesFile = join(home, 'server.properties');
  await mkdir(tempDir, { recursive: true });
  await writeFile(propertiesFile, toProperties(brokerSettings(node, nodes, logDir, extraSettings)));
  if (!existsSync(join(logDir, 'meta.properties'))) {
    await kafkaTool('kafka.tools.StorageTool', ['format', '-t', CLUSTER_ID, '-c', propertiesFile], {
      timeoutMs: FORMAT_TIMEOUT_MS,
      kafkaVersion,
    });
  }
  return { propertiesFile, logFile: join(dataDir, 'logs', `broker-${node.id}.log`), tempDir };
}

export function startBrokerProcess(files: BrokerFiles, kafkaVersion?: string): SupervisedChild {
  const logging = {
    'org.slf4j.simpleLogger.showDateTime': 'true',
    'org.slf4j.simpleLogger.dateTimeFormat': 'yyyy-MM-dd HH:mm:ss.SSS',
    // Codec libraries unpack native code here; a killed broker would leave it in the system's directory.
    'java.io.tmpdir': files.tempDir,
  };
  const properties = Object.entries(logging).map(([key, value]) => `-D${key}=${value}`);
  return startSupervised(
    javaCommand(),
    [...JVM_FLAGS, ...properties, '-cp', kafkaClassPath(kafkaVersion), 'kafka.Kafka', files.propertiesFile],
    { logFile: files.logFile },
  );
}
