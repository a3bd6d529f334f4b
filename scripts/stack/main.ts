// The command behind `npm run stack`.
import { parseArgs } from 'node:util';
import { startInBackground, stopInBackground } from './background.ts';
import { identityOf } from './process-identity.ts';
import { DATA_DIR, HOLDER_LOG, readRunState } from './run-state.ts';
import type { RunState } from './run-state.ts';
import { StackError } from './stack-error.ts';

const HELP = `Usage: npm run stack -- <command>

Runs Apache Kafka (three brokers in three racks) and an S3-compatible store on loopback, in the background.

Commands:
  start [--fresh]  start it and return when everything answers; --fresh begins without the data of the last time
  stop             stop it; data stays
  status           show addresses, racks, credentials and process ids; exit code 0 running, 3 not

Its data and logs are in .stack/run/. See docs/local-stack.md.
`;
/** What init scripts answer for a service that is not running (Linux Standard Base). */
const EXIT_NOT_RUNNING = 3;
const EXIT_USAGE = 2;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      fresh: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, ...rest] = positionals;
  if (values.help || rest.length > 0) {
    console.log(HELP);
    return values.help ? 0 : EXIT_USAGE;
  }
  switch (command) {
    case 'start':
      return start(values.fresh);
    case 'stop':
      console.log((await stopInBackground()) ? 'The local stack is stopped.' : 'No local stack is running.');
      return 0;
    case 'status':
      return status();
    default:
      console.log(HELP);
      return EXIT_USAGE;
  }
}

async function start(fresh: boolean): Promise<number> {
  const present = readRunState();
  if (present?.ready !== undefined && !fresh) {
    console.log(describe(present));
    return 0;
  }
  console.log('Starting the local stack.');
  console.log(describe(await startInBackground({ fresh, onProgress: (line) => console.log(`  ${line}`) })));
  return 0;
}

function status(): number {
  const state = readRunState();
  if (state === undefined) {
    console.log('No local stack is running. Start it with: npm run stack -- start');
    return EXIT_NOT_RUNNING;
  }
  console.log(describe(state));
  return 0;
}

function describe({ holder, startedAt, ready }: RunState): string {
  if (ready === undefined) return `The local stack is being started (process ${holder.pid}).`;
  const { brokers, bootstrap, s3, s3Pid } = ready;
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

Data and logs: ${DATA_DIR}; the holder's log: ${HOLDER_LOG}
Stop it with: npm run stack -- stop`;
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
