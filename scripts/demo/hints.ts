import type { LocalStack } from '../stack/stack.ts';
import type { Fleet } from './fleet.ts';
import { PREFIX, TOPIC } from './fleet.ts';
import type { Workspace } from './workspace.ts';

/** For --keep: where everything is, and how to look at it. */
export function describeRunning(stack: LocalStack, fleet: Fleet, workspace: Workspace): string[] {
  const { s3, bootstrap } = stack;
  const brokers = bootstrap.join(',');
  const credentials = `AWS_ACCESS_KEY_ID=${s3.accessKeyId} AWS_SECRET_ACCESS_KEY=${s3.secretAccessKey} AWS_REGION=${s3.region}`;
  const processes = [...fleet.agents, ...fleet.workers].map(
    ({ name, pid, statusUrl, logFile }) => `  ${name}  process ${pid}  ${statusUrl}/status  ${logFile}`,
  );
  return [
    'Everything is still running; lines that are added to the log files go the same way.',
    `Kafka brokers     ${brokers}, topic ${TOPIC}`,
    `S3                ${s3.endpoint}, bucket ${s3.bucket}, path-style addresses`,
    `S3 credentials    ${credentials}`,
    `Log files         ${workspace.path}`,
    `Objects as files  ${stack.objectsDir}/${s3.bucket}/${PREFIX}`,
    'Agents and transporter workers:',
    ...processes,
    'To look around:',
    `  kcat -b ${brokers} -t ${TOPIC} -C -o -5 -e`,
    `  ${credentials} aws --endpoint-url ${s3.endpoint} s3 ls --recursive s3://${s3.bucket}/${PREFIX}/`,
    `  find ${stack.objectsDir}/${s3.bucket}/${PREFIX} -name '*.zst' | head -1 | xargs zstd -dc | head`,
    'Ctrl-C ends all of it.',
  ];
}
