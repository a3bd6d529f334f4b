import { z } from 'zod';
import { choice, durationMs, flag, pattern, path, text, whenParsed, type DeepReadonly } from './fields.ts';

const BROKER_ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([1-9]\d{0,4})$/;

const tlsSchema = z
  .strictObject({
    caFile: path('PEM file of the certificate authorities to trust instead of the system ones.').optional(),
    certFile: path('PEM file of the client certificate; needs `keyFile`.').optional(),
    keyFile: path('PEM file of the client private key; needs `certFile`.').optional(),
    serverName: text(
      'Name to expect in the broker certificate, when it is not the host that is dialled.',
    ).optional(),
    rejectUnauthorized: flag('Refuse a broker whose certificate does not verify.').default(true),
  })
  .refine((tls) => (tls.certFile === undefined) === (tls.keyFile === undefined), {
    error: 'certFile and keyFile belong together: give both or neither',
    when: whenParsed('certFile', 'keyFile'),
  });

const saslSchema = z
  .strictObject({
    mechanism: choice('SASL mechanism that the brokers offer.', ['plain', 'scram-sha-256', 'scram-sha-512']),
    username: text('User name.'),
    password: text('Password; better as `${NAME}` from the environment, or in a file.').optional(),
    passwordFile: path(
      'File that holds the password; one line break at its end is not part of it.',
    ).optional(),
  })
  .refine((sasl) => (sasl.password === undefined) !== (sasl.passwordFile === undefined), {
    error: 'give exactly one of password and passwordFile',
    when: whenParsed('password', 'passwordFile'),
  });

/** One Kafka cluster and how to reach it, as a file says it. */
export const clusterConfigSchema = z.strictObject({
  brokers: z
    .array(
      z.string().refine((address) => Number(BROKER_ADDRESS.exec(address)?.[2] ?? Number.NaN) <= 65_535, {
        error: 'must be host:port, such as kafka-1.example.com:9092',
      }),
    )
    .min(1, { error: 'must name at least one broker, as host:port' })
    .meta({ description: 'Brokers to ask first, as host:port; the others are found through them.' }),
  clientId: pattern(
    'Client id that the brokers see, in their logs and quotas.',
    /^[A-Za-z0-9._-]{1,249}$/,
    'letters, digits, dots, underscores and dashes',
  ).default('skald'),
  tls: z.union([z.boolean(), tlsSchema]).optional().meta({
    description: 'TLS to the brokers: `true` with the system authorities, or a block with further settings.',
  }),
  sasl: saslSchema.optional().meta({ description: 'SASL authentication; without it, none.' }),
  connectTimeoutMs: durationMs('Longest wait for a connection to a broker: TCP, TLS and login together.', {
    min: 100,
    max: 300_000,
    default: '10s',
  }),
  requestTimeoutMs: durationMs('Longest wait for the answer to a request.', {
    min: 100,
    max: 600_000,
    default: '30s',
  }),
  metadataMaxAgeMs: durationMs('Age at which the leaders and racks of partitions are asked for again.', {
    min: 1000,
    max: 3_600_000,
    default: '60s',
  }),
});

type ParsedClusterConfig = z.output<typeof clusterConfigSchema>;

/** Credentials with the password read from its file, if it was in one. */
export interface SaslConfig {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** `true` is TLS with the system's authorities; file paths are absolute. */
export type TlsConfig = true | DeepReadonly<z.output<typeof tlsSchema>>;

/** One Kafka cluster, fully defaulted. `tls` and `sasl` are absent when off. */
export type ClusterConfig = DeepReadonly<Omit<ParsedClusterConfig, 'tls' | 'sasl'>> & {
  readonly tls?: TlsConfig | undefined;
  readonly sasl?: SaslConfig | undefined;
};
