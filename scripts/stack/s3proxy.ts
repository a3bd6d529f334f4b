import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toProperties } from './broker-settings.ts';
import { javaCommand, s3ProxyJar } from './jars.ts';
import { LOOPBACK } from './ports.ts';
import { startSupervised } from './supervised-child.ts';
import type { SupervisedChild } from './supervised-child.ts';

/** What a client needs to reach the local S3. The credentials guard nothing: they exist so that signatures are checked. */
export interface S3Access {
  endpoint: string;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** It holds signed bodies in memory; with less, a few 64 MiB parts at once run out of it. */
const JVM_FLAGS = ['-Xmx1g', '-XX:+UseSerialGC', '-XX:-UsePerfData'];
const LARGEST_SIGNED_BODY_BYTES = 128 * 1024 * 1024;

export interface S3ProxyFiles {
  propertiesFile: string;
  logFile: string;
  tempDir: string;
  /** Objects are plain files under here, one directory for each bucket. */
  objectsDir: string;
}

export function s3Access(port: number): S3Access {
  return {
    endpoint: `http://${LOOPBACK}:${port}`,
    region: 'us-east-1',
    bucket: 'skald-logs',
    accessKeyId: 'skald-local',
    secretAccessKey: 'skald-local-secret',
  };
}

/** S3Proxy's settings, from its README and wiki. */
export function s3ProxySettings(access: S3Access, objectsDir: string): Readonly<Record<string, string>> {
  return {
    's3proxy.endpoint': access.endpoint,
    's3proxy.authorization': 'aws-v2-or-v4',
    's3proxy.identity': access.accessKeyId,
    's3proxy.credential': access.secretAccessKey,
    's3proxy.v4-max-non-chunked-request-size': String(LARGEST_SIGNED_BODY_BYTES),
    'jclouds.provider': 'filesystem-nio2',
    'jclouds.identity': access.accessKeyId,
    'jclouds.credential': access.secretAccessKey,
    'jclouds.filesystem.basedir': objectsDir,
  };
}

export async function prepareS3Proxy(access: S3Access, dataDir: string): Promise<S3ProxyFiles> {
  const home = join(dataDir, 's3');
  const objectsDir = join(home, 'objects');
  const tempDir = join(home, 'tmp');
  const propertiesFile = join(home, 's3proxy.properties');
  for (const directory of [objectsDir, tempDir]) await mkdir(directory, { recursive: true });
  await writeFile(propertiesFile, toProperties(s3ProxySettings(access, objectsDir)));
  return { propertiesFile, logFile: join(dataDir, 'logs', 's3proxy.log'), tempDir, objectsDir };
}

export function startS3ProxyProcess(files: S3ProxyFiles): SupervisedChild {
  const args = [
    `-Djava.io.tmpdir=${files.tempDir}`,
    '-jar',
    s3ProxyJar(),
    '--properties',
    files.propertiesFile,
  ];
  return startSupervised(javaCommand(), [...JVM_FLAGS, ...args], {
    logFile: files.logFile,
    env: { ...process.env, LOG_LEVEL: 'info' },
  });
}
