import { choice, count } from './fields.ts';

/** Codec names as in the `compression.type` of Kafka topics; snappy is read but never written. */
export const CODECS = ['zstd', 'lz4', 'gzip', 'none'] as const;

export type CodecName = (typeof CODECS)[number];

/**
 * Levels that a codec takes; the codecs that are not here take none. Of log lines zstd 3 makes at most a fortieth less than 1
 * and takes twice the CPU (decision 16); gzip 6 is zlib's own default.
 */
const LEVELS: Partial<Record<CodecName, { min: number; max: number; default: number }>> = {
  zstd: { min: 1, max: 19, default: 1 },
  gzip: { min: 1, max: 9, default: 6 },
};

export function codecField(description: string) {
  return choice(description, CODECS);
}

export function levelField(description: string) {
  return count(`${description} zstd: 1 to 19; gzip: 1 to 9; the others have none.`, { min: 1, max: 19 });
}

interface Compression {
  codec?: CodecName | undefined;
  level?: number | undefined;
}

export function levelFitsCodec({ codec, level }: Compression): boolean {
  if (level === undefined || codec === undefined) return true;
  const range = LEVELS[codec];
  return range !== undefined && level >= range.min && level <= range.max;
}

/** What is wrong with the level of an object whose level does not fit its codec, and what would be right. */
export function levelError(issue: { input?: unknown }): string {
  const codec = codecOf(issue.input);
  const range = codec === undefined ? undefined : LEVELS[codec];
  return range === undefined
    ? `codec ${codec ?? ''} has no levels: remove level, or use zstd (1 to 19) or gzip (1 to 9)`
    : `must be between ${range.min} and ${range.max} with codec ${codec ?? ''}`;
}

function codecOf(input: unknown): CodecName | undefined {
  const codec = typeof input === 'object' && input !== null && 'codec' in input ? input.codec : undefined;
  return CODECS.find((name) => name === codec);
}

/** The level to use: the one given, else the default of the codec, else undefined for a codec without levels. */
export function levelOrDefault(codec: CodecName, level: number | undefined): number | undefined {
  return level ?? LEVELS[codec]?.default;
}
