import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.mjs';
import { SetupError } from './steps.mjs';

const MINIMUM_NODE = [20, 19];
const MINIMUM_JAVA = 17;
const PROBE_TIMEOUT_MS = 30_000;
const INSTALL_TIMEOUT_MS = 10 * 60_000;

export function checkNode(version) {
  const [major, minor] = version.split('.').map(Number);
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return;
  throw new SetupError(
    `Node ${MINIMUM_NODE.join('.')} or later is needed, this is Node ${version}: https://nodejs.org/`,
  );
}

/** Apache Kafka 4 runs on Java 17 or later; S3Proxy needs less. */
export async function ensureJava(steps) {
  const found = await javaMajorVersion();
  if (found >= MINIMUM_JAVA) {
    steps.skip(`Java ${found} is here`);
    return;
  }
  const problem =
    found === undefined ? 'Java is missing' : `Java ${found} is too old, ${MINIMUM_JAVA} is the least`;
  await installWithApt(steps, 'openjdk-17-jdk-headless', problem);
  const installed = await javaMajorVersion();
  if (!(installed >= MINIMUM_JAVA)) {
    throw new SetupError(
      `openjdk-17-jdk-headless was installed, but "${javaCommand()}" is still Java ${installed ?? '(none)'}`,
    );
  }
}

export async function ensureMaven(steps) {
  if (await answers('mvn', ['--version'])) return;
  await installWithApt(steps, 'maven', 'Maven (mvn) is missing');
  if (!(await answers('mvn', ['--version'])))
    throw new SetupError('maven was installed, but "mvn" is not on the PATH');
}

/** The java that the stack will use: JAVA_HOME before the PATH, as Maven and Kafka's own scripts do. */
export function javaCommand(env = process.env) {
  if (!env.JAVA_HOME) return 'java';
  return join(env.JAVA_HOME, 'bin', 'java');
}

/** "1.8.0_392" is Java 8, "17.0.15" is 17, "24-ea" is 24. */
export function parseJavaMajor(versionOutput) {
  const match = /version "(?:1\.)?(\d+)/.exec(versionOutput);
  return match === null ? undefined : Number(match[1]);
}

async function javaMajorVersion() {
  try {
    return parseJavaMajor(await runCommand(javaCommand(), ['-version'], { timeoutMs: PROBE_TIMEOUT_MS }));
  } catch (error) {
    if (error instanceof SetupError) return undefined;
    throw error;
  }
}

async function answers(command, args) {
  try {
    await runCommand(command, args, { timeoutMs: PROBE_TIMEOUT_MS });
    return true;
  } catch (error) {
    if (error instanceof SetupError) return false;
    throw error;
  }
}

/** Installs only where that is the obvious thing to do; everywhere else the user is told what is missing. */
async function installWithApt(steps, aptPackage, problem) {
  const isRoot = process.getuid?.() === 0;
  const hasApt = existsSync('/etc/debian_version') && (await answers('apt-get', ['--version']));
  if (!isRoot || !hasApt) {
    const hint = hasApt
      ? `run: sudo apt-get install ${aptPackage}`
      : `install ${aptPackage} or its equivalent here`;
    throw new SetupError(
      `${problem}. The local stack needs Java ${MINIMUM_JAVA} or later and Maven; ${hint}, then try again.`,
    );
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await steps.run(`${problem}: installing ${aptPackage} with apt-get`, async () => {
    await runCommand('apt-get', ['update', '-qq'], { timeoutMs: INSTALL_TIMEOUT_MS, env });
    await runCommand('apt-get', ['install', '-qq', '-y', '--no-install-recommends', aptPackage], {
      timeoutMs: INSTALL_TIMEOUT_MS,
      env,
    });
  });
}
