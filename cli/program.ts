import { Argument, Command, CommanderError, Option } from 'commander';
import { DEFAULT_AGENT_FILE } from '../shared/config/agent-config.ts';
import { runAgent } from './agent.ts';
import { showAgentStatus } from './agent-status.ts';
import { CONFIG_KINDS, checkConfig, type ConfigKind } from './check-config.ts';
import { DEFAULT_TRANSPORTER_FILE } from '../shared/config/transporter-config.ts';
import { EXIT } from './exit-code.ts';
import type { Terminal } from './terminal.ts';
import { runTransporter } from './transporter.ts';
import { showTransporterProgress } from './transporter-progress.ts';
import { leaveTransporterGroup } from './transporter-leave.ts';
import { packageVersion, versionText } from './version.ts';

const EXIT_CODES = `
Exit codes:
  0    done, or stopped by SIGTERM
  1    failed while it ran, or check-config found an error
  2    wrong usage, or a configuration that nothing can be started from
  130  stopped by Ctrl-C; 143 by a second SIGTERM, without waiting`;

/** Runs `skald` with these arguments (without node and script) and gives its exit code. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = skaldCommand(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end here as well, with 0; everything else is wrong usage, and commander has said what.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return exitCode;
}

function skaldCommand(terminal: Terminal, leave: (code: number) => void): Command {
  const program = new Command('skald')
    .description(
      'Carries log lines from files on hosts, through Apache Kafka, to objects in S3: every line exactly once.',
    )
    .version(packageVersion(), '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(skald --help shows what there is)')
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.complain(text.trimEnd()),
    })
    .exitOverride()
    .addHelpText(
      'after',
      `
Examples:
  skald check-config agent -c /etc/skald/agent.yaml
  skald agent -c /etc/skald/agent.yaml
  skald transporter -c /etc/skald/transporter.yaml
${EXIT_CODES}`,
    );
  addAgent(program, terminal, leave);
  addTransporter(program, terminal, leave);
  addCheckConfig(program, terminal, leave);
  program
    .command('version')
    .description('print the versions of skald and Node.js')
    .addHelpText('after', '\nExample:\n  skald version')
    .action(() => terminal.print(versionText()));
  return program;
}

function addAgent(program: Command, terminal: Terminal, leave: (code: number) => void): void {
  const agent = program
    .command('agent')
    .description('carry the log files of this host to Kafka, until SIGTERM or Ctrl-C')
    .addOption(configOption().default(DEFAULT_AGENT_FILE))
    .addHelpText(
      'after',
      `
It reads the host file and every *.yaml in its pipelinesDir. The first SIGTERM or Ctrl-C stops reading, waits for
acknowledgements up to shutdownTimeoutMs, and ends; the second ends it at once. Either way no line is lost.

Examples:
  skald agent
  skald agent -c ./agent.yaml
  SKALD_RACK=eu-central-1a skald agent
${EXIT_CODES}`,
    )
    .action(async ({ config }: { config: string }) => leave(await runAgent(config, terminal)));
  agent
    .command('status')
    .description('show how far the running agent is with each file')
    .addOption(configOption().default(DEFAULT_AGENT_FILE))
    .option('--json', 'print everything the agent says, as JSON', false)
    .option('--all', 'show every file, and not only those that are furthest behind', false)
    .addHelpText(
      'after',
      `
It asks the agent's status server; where that is off or does not answer, it shows what the agent has last written to
status.json in its stateDir, and how old that is.

Examples:
  skald agent status
  skald agent status --all
  skald agent status --json -c ./agent.yaml

Exit codes:
  0    the agent runs
  1    it does not, or nothing can be read of it`,
    )
    .action(async (_: object, command: Command) => {
      // Both commands have -c, and commander gives a value before `status` to the outer one.
      const { config, json, all } = command.optsWithGlobals<{
        config: string;
        json: boolean;
        all: boolean;
      }>();
      leave(await showAgentStatus(config, { json, all }, terminal));
    });
}

function addTransporter(program: Command, terminal: Terminal, leave: (code: number) => void): void {
  const transporter = program
    .command('transporter')
    .description('carry topics from Kafka to the store, until SIGTERM or Ctrl-C')
    .addOption(configOption().default(DEFAULT_TRANSPORTER_FILE))
    .addHelpText(
      'after',
      `
It is one worker of its consumer group: start as many as the load needs, each with its own member name. The first SIGTERM
or Ctrl-C stops fetching, and stores and commits what it holds up to shutdownTimeoutMs; the second ends it at once. Either
way every record is stored once. Its partitions wait for its return until sessionTimeoutMs are over, unless leaveOnStop
says that it does not come back.

Examples:
  skald transporter
  skald transporter -c ./transporter.yaml
  SKALD_RACK=eu-central-1a skald transporter
${EXIT_CODES}`,
    )
    .action(async ({ config }: { config: string }) => leave(await runTransporter(config, terminal)));
  transporter
    .command('leave')
    .description('give the partitions of a worker that is gone for good to the others at once')
    .addOption(configOption().default(DEFAULT_TRANSPORTER_FILE))
    .option('--member <name>', 'the worker; by default the member of the configuration file')
    .addHelpText(
      'after',
      `
It takes the worker out of its consumer group, without waiting for sessionTimeoutMs. One that runs all the same joins again.

Examples:
  skald transporter leave
  skald transporter leave --member worker-7

Exit codes:
  0    it has left
  1    the group has no such member, or Kafka cannot be asked`,
    )
    .action(async (options: { member?: string }, command: Command) => {
      // Both commands have -c, and commander gives a value before `leave` to the outer one.
      const { config } = command.optsWithGlobals<{ config: string }>();
      leave(await leaveTransporterGroup(config, options, terminal));
    });
  transporter
    .command('progress')
    .description('show up to which time each topic is complete in the store, and what holds it back')
    .addOption(configOption().default(DEFAULT_TRANSPORTER_FILE))
    .option('--json', 'print it as JSON', false)
    .option('--all', 'show every partition, and not only the slowest', false)
    .addHelpText(
      'after',
      `
It asks Kafka for the committed offsets of the group and for the ends of the logs; no worker need run. Everything up to
the time is in the store, but for records that come later than chunk.bucketGraceMs. A partition without new records
moves on when a time bucket has ended.

Examples:
  skald transporter progress
  skald transporter progress --json -c ./transporter.yaml

Exit codes:
  0    it is shown
  1    Kafka cannot be asked, or a topic does not exist
  2    wrong usage, or a configuration that cannot be read`,
    )
    .action(async (_: object, command: Command) => {
      const { config, json, all } = command.optsWithGlobals<{
        config: string;
        json: boolean;
        all: boolean;
      }>();
      leave(await showTransporterProgress(config, { json, all }, terminal));
    });
}

function addCheckConfig(program: Command, terminal: Terminal, leave: (code: number) => void): void {
  program
    .command('check-config')
    .description('check configuration files and show what would run, without touching network or state')
    .addArgument(
      new Argument('[kind]', 'what the file is for; by default its keys tell').choices(CONFIG_KINDS),
    )
    .addOption(configOption())
    .addHelpText(
      'after',
      `
For an agent it checks the host file and every pipeline. Every error comes with its file, line and column.

Examples:
  skald check-config
  skald check-config -c ./agent.yaml
  skald check-config transporter -c ./transporter.yaml

Exit codes:
  0    everything is valid
  1    there are errors`,
    )
    .action((kind: ConfigKind | undefined, { config }: { config?: string }) =>
      leave(checkConfig(kind, config, terminal)),
    );
}

function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file');
}
