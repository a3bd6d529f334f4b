import { type PeerCodec, ZSTD_LEVEL } from '../peer.ts';

/**
 * Settings of librdkafka (CONFIGURATION.md there) for all that are built on it. Its largest batch, 1,000,000 bytes of records,
 * is its default and about the agent's, and the linger is the agent's.
 */
export function librdkafkaSettings(codec: PeerCodec): Record<string, string> {
  return {
    acks: 'all',
    'compression.codec': codec,
    ...(codec === 'zstd' && { 'compression.level': String(ZSTD_LEVEL) }),
    'linger.ms': '200',
  };
}
