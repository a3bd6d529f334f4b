import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { JARS_DIR, makeWorkDir } from './paths.mjs';
import { runCommand } from './run-command.mjs';
import { SetupError } from './steps.mjs';

/** scripts/stack/jars.ts looks for the same versions in the same places; a test keeps the two equal. */
export const DEFAULT_KAFKA_VERSION = '4.1.0';
export const S3PROXY_VERSION = '4.1.0';
const SCALA_VERSION = '2.13';
const MAVEN_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const FETCH_TIMEOUT_MS = 10 * 60_000;

const kafkaDir = (version) => join(JARS_DIR, `kafka-${version}`);
const connectDir = () => join(JARS_DIR, `connect-${DEFAULT_KAFKA_VERSION}`);
const s3ProxyDir = () => join(JARS_DIR, `s3proxy-${S3PROXY_VERSION}`);

export const kafkaIsPresent = (version) => existsSync(kafkaDir(version));
export const connectIsPresent = () => existsSync(connectDir());
export const s3ProxyIsPresent = () => existsSync(s3ProxyDir());

/**
 * The broker and its tools with what they need at run time. The one logging backend is slf4j-simple: it writes to
 * stderr, starts at once and suits Kafka 3 and 4 alike, while the backends that Kafka declares differ by version.
 */
export async function fetchKafka(version) {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new SetupError(`"${version}" is not a version of Apache Kafka`);
  await fetchJars({
    destination: kafkaDir(version),
    expect: [
      `kafka_${SCALA_VERSION}-${version}.jar`,
      `kafka-tools-${version}.jar`,
      'slf4j-simple-1.7.36.jar',
    ],
    goal: `${MAVEN_PLUGIN}:copy-dependencies`,
    options: ['-DincludeScope=runtime'],
    pom: pomOf([
      ['org.apache.kafka', `kafka_${SCALA_VERSION}`, version],
      ['org.apache.kafka', 'kafka-tools', version],
      ['org.slf4j', 'slf4j-simple', '1.7.36'],
    ]),
  });
}

/** Kafka Connect with the file connectors that come with it, for the benchmark. */
export async function fetchConnect() {
  const version = DEFAULT_KAFKA_VERSION;
  await fetchJars({
    destination: connectDir(),
    expect: [`connect-runtime-${version}.jar`, `connect-file-${version}.jar`, 'slf4j-simple-1.7.36.jar'],
    goal: `${MAVEN_PLUGIN}:copy-dependencies`,
    options: ['-DincludeScope=runtime'],
    pom: pomOf([
      ['org.apache.kafka', 'connect-runtime', version],
      ['org.apache.kafka', 'connect-file', version],
      ['org.slf4j', 'slf4j-simple', '1.7.36'],
    ]),
  });
}

/** One jar that holds all it needs: resolving what it was made from would take longer than the rest of the setup. */
export async function fetchS3Proxy() {
  const classifier = 'jar-with-dependencies';
  await fetchJars({
    destination: s3ProxyDir(),
    expect: [`s3proxy-${S3PROXY_VERSION}-${classifier}.jar`],
    goal: `${MAVEN_PLUGIN}:copy`,
    options: [`-Dartifact=org.gaul:s3proxy:${S3PROXY_VERSION}:jar:${classifier}`],
    pom: pomOf([]),
  });
}

/** Maven checks every download against its checksum; a directory of jars appears whole, by one rename, or not at all. */
async function fetchJars({ destination, expect, goal, options, pom }) {
  const work = makeWorkDir();
  try {
    const output = join(work, 'jars');
    writeFileSync(join(work, 'pom.xml'), pom);
    const repository = homeIsWritable() ? [] : [`-Dmaven.repo.local=${join(work, 'repository')}`];
    const args = ['--batch-mode', '--strict-checksums', '-ntp', goal, `-DoutputDirectory=${output}`];
    await runCommand('mvn', [...args, ...options, ...repository], { timeoutMs: FETCH_TIMEOUT_MS, cwd: work });
    const missing = expect.filter((name) => !existsSync(join(output, name)));
    if (missing.length > 0) throw new SetupError(`Maven succeeded, but did not bring ${missing.join(', ')}`);
    mkdirSync(dirname(destination), { recursive: true });
    renameSync(output, destination);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Kafka 3 declares a logging backend of its own, which would compete with ours. */
function pomOf(dependencies) {
  const entries = dependencies.map(
    ([group, artifact, version]) => `
    <dependency>
      <groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>
      <exclusions><exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId></exclusion></exclusions>
    </dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>skald</groupId><artifactId>local-stack</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${entries.join('')}
  </dependencies>
</project>
`;
}

/** Maven's cache belongs to the user in the password file, whatever HOME says; an account without one gets its own. */
function homeIsWritable() {
  try {
    accessSync(userInfo().homedir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
