// Brings a checkout to the point where Skald can be built, run and tested. Plain JavaScript over node: built-ins
// only, because it runs before any dependency exists. Every step looks first and acts only where something is missing
// or old, so that `npm run demo|test|stack|bench|check` may call it each time.
//
//   node scripts/setup.mjs [--quiet] [--no-stack] [--connect] [--kafka <version>]
//
//   --quiet      print only steps that really do something
//   --no-stack   skip Java, Maven and the jars: enough to build, type-check, lint and run unit tests
//   --connect    fetch Kafka Connect, too, which the benchmark of the transporter runs when it is there
//   --kafka V    fetch another version of Apache Kafka beside the default one, for compatibility tests
// The whole module, not its parseArgs: a Node too old to have that must get as far as the message about its age.
import util from 'node:util';
import { buildSources } from './setup/build.mjs';
import { dependenciesAreCurrent, installDependencies } from './setup/dependencies.mjs';
import {
  connectIsPresent,
  DEFAULT_KAFKA_VERSION,
  fetchConnect,
  fetchKafka,
  fetchS3Proxy,
  kafkaIsPresent,
  s3ProxyIsPresent,
} from './setup/jars.mjs';
import { withSetupLock } from './setup/lock.mjs';
import { removeLeftovers } from './setup/paths.mjs';
import { createSteps, SetupError } from './setup/steps.mjs';
import { checkNode, ensureJava, ensureMaven } from './setup/toolchain.mjs';

async function main() {
  checkNode(process.versions.node);
  const { values } = util.parseArgs({
    options: {
      quiet: { type: 'boolean', default: false },
      'no-stack': { type: 'boolean', default: false },
      connect: { type: 'boolean', default: false },
      kafka: { type: 'string', default: DEFAULT_KAFKA_VERSION },
    },
  });
  const steps = createSteps({ quiet: values.quiet });

  await withSetupLock(steps, async () => {
    removeLeftovers();
    if (dependenciesAreCurrent()) steps.skip('npm packages are current');
    else await steps.run('installing npm packages', installDependencies);

    if (!values['no-stack']) await prepareStack(steps, values.kafka, values.connect);
    await steps.quietly('building to dist/', buildSources);
  });
}

/** Java is needed each time the stack runs; Maven only while jars are missing. */
async function prepareStack(steps, kafkaVersion, withConnect) {
  await ensureJava(steps);
  const fetches = [
    {
      what: `Apache Kafka ${kafkaVersion}`,
      present: kafkaIsPresent(kafkaVersion),
      fetch: () => fetchKafka(kafkaVersion),
    },
    { what: 'S3Proxy', present: s3ProxyIsPresent(), fetch: fetchS3Proxy },
    ...(withConnect ? [{ what: 'Kafka Connect', present: connectIsPresent(), fetch: fetchConnect }] : []),
  ];
  for (const { what, present, fetch } of fetches) {
    if (present) {
      steps.skip(`${what} is here`);
      continue;
    }
    await ensureMaven(steps);
    await steps.run(`fetching ${what}`, fetch);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof SetupError) && error?.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw error;
  process.stderr.write(`setup: ${error.message}\n`);
  process.exitCode = 1;
}
