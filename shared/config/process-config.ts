import { z } from 'zod';
import { choice, count, path, pattern, text, type DeepReadonly } from './fields.ts';

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
};

/** A rule of `refine` for whoever holds rackFields. */
export function atMostOneRack(config: { rack?: string | undefined; rackFile?: string | undefined }): boolean {
  return config.rack === undefined || config.rackFile === undefined;
}

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

export type LogConfig = DeepReadonly<z.output<typeof logSchema>>;
export type StatusConfig = DeepReadonly<z.output<ReturnType<typeof statusSchema>>>;
