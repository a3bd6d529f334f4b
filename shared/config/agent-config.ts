import { z } from 'zod';
import { clusterConfigSchema, type ClusterConfig } from './cluster-config.ts';
import type { Ec2Placement } from './ec2-placement.ts';
import { bytes, choice, count, durationMs, flag, path, pattern, type DeepReadonly } from './fields.ts';
import { logSchema, rackFields, refuseTwoRacks, statusSchema, whenRackParsed } from './process-config.ts';

export const DEFAULT_AGENT_FILE = '/etc/skald/agent.yaml';

/** Names that become keys, labels or parts of paths. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

const limitsSchema = z
  .strictObject({
    memoryBytes: bytes(
      'Budget for the bytes of batches being built and sent. When it is used up the agent stops reading.',
      {
        min: 8 * 1024 ** 2,
        max: 64 * 1024 ** 3,
        default: '128MiB',
      },
    ),
    encodeThreads: count(
      'Worker threads that build and compress batches; one keeps up with about 300 MB/s.',
      {
        min: 1,
        max: 64,
      },
    ).default(1),
    maxOpenFiles: count(
      'Log files held open at once, by all pipelines. Those that were idle for longest are closed for others, and opened again when they grow.',
      {
        min: 16,
        max: 1_000_000,
      },
    ).default(4096),
    maxWatchedDirectories: count(
      'Directories in which the kernel tells of changes (inotify), by all pipelines. Files in further ones are polled.',
      {
        min: 1,
        max: 1_000_000,
      },
    ).default(8192),
  })
  .prefault({})
  .meta({ description: 'Bounds on what the agent takes from the machine.' });

const journalSchema = z
  .strictObject({
    fsync: choice(
      'When the journal is forced to disk: `always` before every batch (one disk flush per batch; nothing is missing after ' +
        'a power loss), `interval` every `fsyncIntervalMs` and `never` by the kernel alone (after a power loss the agent reads ' +
        'the topic for what the journal lacks before it goes on, which takes the READ permission on the topic; without it ' +
        'the last batches may be sent twice, never lost). Exactly once when only the process dies, with each of them.',
      ['always', 'interval', 'never'],
    ).default('interval'),
    fsyncIntervalMs: durationMs('Time between two flushes with `fsync: interval`.', {
      min: 10,
      max: 600_000,
      default: '1s',
    }),
  })
  .prefault({})
  .meta({ description: 'The checkpoint journal in `stateDir`.' });

/** The agent's host file, as a file says it. */
export const agentConfigSchema = z
  .strictObject({
    host: pattern(
      'Name of this machine in provenance and logs.',
      /^\S{1,253}$/,
      'one word of at most 253 characters',
    )
      .optional()
      .meta({ description: 'Name of this machine in provenance and logs.', defaultText: 'the host name' }),
    ...rackFields,
    stateDir: path('Folder of the checkpoint journal. Must survive a restart.').default('/var/lib/skald'),
    pipelinesDir: path('Folder of the pipelines, one `*.yaml` file each.').default('/etc/skald/pipelines'),
    reloadIntervalMs: durationMs(
      'Time between two looks at `pipelinesDir`. What is found the same way twice is taken over; SIGHUP takes it over at once.',
      {
        min: 100,
        max: 3_600_000,
        default: '5s',
      },
    ),
    clusters: z
      .record(
        z
          .string()
          .regex(NAME, { error: 'a cluster name must be letters, digits, dots, underscores and dashes' }),
        clusterConfigSchema,
      )
      .refine((clusters) => Object.keys(clusters).length > 0, {
        error: 'must name at least one Kafka cluster',
      })
      .meta({ description: 'The Kafka clusters that pipelines may write to, by name.' }),
    status: statusSchema(9464),
    statusFile: flag(
      'Keep `status.json` in `stateDir`: what `/status` says, written every few seconds in which something has changed. ' +
        '`skald agent status` shows it where no status server answers.',
    ).default(true),
    limits: limitsSchema,
    journal: journalSchema,
    shutdownTimeoutMs: durationMs(
      'Longest graceful stop: what is not acknowledged by then is sent again after the start.',
      {
        min: 0,
        max: 600_000,
        default: '30s',
      },
    ),
    log: logSchema,
  })
  .superRefine(refuseTwoRacks, { when: whenRackParsed });

type ParsedAgentConfig = z.output<typeof agentConfigSchema>;

/** The agent's host file, fully defaulted and frozen: paths are absolute, `host` is known, `rack` is resolved. */
export type AgentConfig = DeepReadonly<
  Omit<ParsedAgentConfig, 'host' | 'rack' | 'rackFile' | 'rackFrom' | 'clusters'>
> & {
  readonly host: string;
  /** Undefined when neither the file, the rack file nor SKALD_RACK names one. */
  readonly rack?: string | undefined;
  /** Where to ask for the rack instead (with-rack.ts); only without `rack`. */
  readonly rackFrom?: Ec2Placement | undefined;
  readonly clusters: Readonly<Record<string, ClusterConfig>>;
};
