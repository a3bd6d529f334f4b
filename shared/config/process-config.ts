import { z } from 'zod';
import { choice, count, path, pattern, text, whenParsed, type DeepReadonly } from './fields.ts';

/** What the agent and the transporter have in common: where they are, and how one looks at them. */

export const RACK_NAME = /^\S{1,249}$/;

const rack = pattern(
  'Rack (availability zone) of this machine, as in `broker.rack`. The environment variable `SKALD_RACK` goes before it.',
  RACK_NAME,
  'one word of at most 249 characters',
);

export const rackFields = {
  rack: rack.optional(),
  rackFile: path(
    'File whose content is the rack, for machines that write it at boot. Not together with `rack`.',
  ).optional(),
  rackFrom: choice(
    'Asks EC2 instance metadata (IMDSv2) for the rack at the start: the name of the zone (`ec2`, such as us-east-1a) or its ' +
      'id (`ec2-zone-id`, such as use1-az1, which Amazon MSK has in `broker.rack`). Not together with `rack` or `rackFile`.',
    ['ec2', 'ec2-zone-id'],
  ).optional(),
};

const RACK_KEYS = ['rack', 'rackFile', 'rackFrom'] as const;

/** For `superRefine` of whoever holds rackFields: the rack is told in one way. */
export function refuseTwoRacks(
  config: Partial<Record<(typeof RACK_KEYS)[number], string | undefined>>,
  context: z.core.$RefinementCtx,
): void {
  const [first, ...others] = RACK_KEYS.filter((key) => config[key] !== undefined);
  for (const key of others) {
    const message = `${first} and ${key} exclude each other: keep one`;
    context.addIssue({ code: 'custom', path: [key], message, continue: true });
  }
}

export const whenRackParsed = whenParsed(...RACK_KEYS);

export const logSchema = z
  .strictObject({
    level: choice('Least severe level that is written.', ['trace', 'debug', 'info', 'warn', 'error']).default(
      'info',
    ),
  })
  .prefault({})
  .meta({ description: 'Log lines, as JSON on standard error (readable text on a terminal).' });

/** The status server: metrics, health, readiness and state, over plain HTTP on the loopback address by default. */
export function statusSchema(port: number) {
  return z
    .union([
      z.literal(false),
      z.strictObject({
        host: text(
          'Address to listen on. Other than loopback, it shows file and topic names to whoever asks.',
        ).default('127.0.0.1'),
        port: count('Port to listen on; 0 takes a free one.', { min: 0, max: 65_535 }).default(port),
      }),
    ])
    .prefault({})
    .meta({ description: 'Server for `/metrics`, `/healthz`, `/readyz` and `/status`; `false` for none.' });
}

export type StatusConfig = DeepReadonly<z.output<ReturnType<typeof statusSchema>>>;
