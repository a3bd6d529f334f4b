// The command behind `npm run stack`.
import { parseArgs } from 'node:util';
import { startInBackground, stopInBackground } from './background.ts';
import { fixedPorts } from './fixed-ports.ts';
import { identityOf } from './process-identity.ts';
import { readRunState, runDir } from './run-state.ts';
import type { RunState } from './run-state.ts';
import { StackError } from './stack-error.ts';

const HELP = `Usage: npm run stack -- <command> [options]

Runs Apache Kafka (three brokers in three racks) and an S3-compatible store on loopback, in the background.

Commands:
  start    start it and return when everything answers
  stop     stop it; its data stays
  status   show addresses, racks, credentials and process ids; exit code 0 running, 3 not

Options:
  --fresh            start without the data of the last time
  --port-offset <n>  add n to every port of the stack (brokers 19092, 29092, 39092; S3 9000)
  --dir <path>       where state, data and logs are, instead of .stack/run; one stack for each
  -h, --help         show this

See docs/local-stack.md.`;
/** What keeps every port below 65536. */
const MAX_PORT_OFFSET = 65_535 - Math.max(...fixedPorts().controllers);
/** What init scripts answer for a service that is not running (Linux Standard Base). */
const EXIT_NOT_RUNNING = 3;
const EXIT_USAGE = 2;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      fresh: { type: 'boolean', default: false },
      'port-offset': { type: 'string', default: '0' },
      dir: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, ...rest] = positionals;
  const portOffset = Number(values['port-offset']);
  if (!Number.isInteger(portOffset) || portOffset < 0 || portOffset > MAX_PORT_OFFSET) {
    throw new StackError(`--port-offset must be a whole number from 0 to ${MAX_PORT_OFFSET}`);
  }
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (rest.length === 0 && command === 'start') return start(values.dir, portOffset, values.fresh);
  if (rest.length === 0 && command === 'stop') return stop(values.dir);
  if (rest.length === 0 && command === 'status') return status(values.dir);
  console.error(HELP);
  return EXIT_USAGE;
}

/** A stack that is there already is what was asked for, unless it should have been a fresh one. */
async function start(directory: string | undefined, portOffset: number, fresh: boolean): Promise<number> {
  const present = readRunState(runDir(directory));
  if (present?.ready !== undefined && !fresh) {
    console.log(describe(present, directory));
    return 0;
  }
  console.log('Starting the local stack.');
  const onProgress = (line: string): void => console.log(`  ${line}`);
  console.log(describe(await startInBackground({ directory, portOffset, fresh, onProgress }), directory));
  return 0;
}

async function stop(directory: string | undefined): Promise<number> {
  console.log(
    (await stopInBackground(directory)) ? 'The local stack is stopped.' : 'No local stack is running.',
  );
  return 0;
}

function status(directory: string | undefined): number {
  const state = readRunState(runDir(directory));
  if (state === undefined) {
    console.log('No local stack is running. Start it with: npm run stack -- start');
    return EXIT_NOT_RUNNING;
  }
  console.log(describe(state, directory));
  return 0;
}

function describe({ holder, startedAt, ready }: RunState, directory: string | undefined): string {
  if (ready === undefined) return `The local stack is being started (process ${holder.pid}).`;
  const { brokers, bootstrap, s3, s3Pid } = ready;
  const { dataDir, logFile } = runDir(directory);
  const pid = (id: number | undefined): string =>
    id === undefined || identityOf(id) === undefined ? 'down' : `process ${id}`;
  const lines = brokers.map(
    (broker) => `  broker ${broker.id}  ${broker.host}:${broker.port}  ${broker.rack}  ${pid(broker.pid)}`,
  );
  return `The local stack has been running since ${startedAt} (process ${holder.pid}).
${lines.join('\n')}
  S3        ${s3.endpoint}  bucket ${s3.bucket}  ${pid(s3Pid)}

Point Skald at it:
  Kafka brokers      ${bootstrap.join(',')}
  S3 endpoint        ${s3.endpoint}, region ${s3.region}, bucket ${s3.bucket}, path-style addresses
  S3 credentials     AWS_ACCESS_KEY_ID=${s3.accessKeyId} AWS_SECRET_ACCESS_KEY=${s3.secretAccessKey}

Data and logs: ${dataDir}, ${logFile}
Stop it with: npm run stack -- stop${directory === undefined ? '' : ` --dir ${directory}`}`;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage =
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  if (!isUsage && !(error instanceof StackError)) throw error;
  console.error(error.message);
  process.exitCode = isUsage ? EXIT_USAGE : 1;
}
