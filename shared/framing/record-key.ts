/** Which key a record has, and which partition its key stands for. Plain data: it crosses to threads, and an intent keeps it. */
import { partitionForKey } from '../kafka/murmur2.ts';
import { boundedExpression } from './line-pattern.ts';

/** Where a record's key stands in its text. */
export type KeySource =
  /** A regular expression: what its first group matches, or all that it matches when it has no group. */
  | { pattern: string }
  /** The path of a field in a JSON object, such as `user.id`. */
  | { field: string };

/** The partition of each record follows from its key, as Kafka's producers place keys. */
export interface Keying {
  source: KeySource;
  /** How many partitions the topic had. */
  partitions: number;
  /** Where records without a key go. */
  keyless: number;
}

/** As much of a record is searched by a pattern. */
const SEARCHED_BYTES = 16 * 1024;

/** Returns a function that finds the key in bytes[start, end); null when there is none, or an empty one. */
export function keyFinder(
  source: KeySource,
): (bytes: Buffer, start: number, end: number) => Uint8Array | null {
  if ('field' in source) {
    const path = source.field.split('.');
    return (bytes, start, end) => keyFrom(fieldOf(bytes.toString('utf8', start, end), path));
  }
  const expression = boundedExpression(source.pattern);
  return (bytes, start, end) => {
    const match = expression.exec(bytes.toString('utf8', start, Math.min(end, start + SEARCHED_BYTES)));
    return keyFrom(match?.[1] ?? match?.[0]);
  };
}

/** The partition of a record with this key. */
export function partitionOf(key: Uint8Array | null, { partitions, keyless }: Keying): number {
  return key === null ? keyless : partitionForKey(key, partitions);
}

function keyFrom(text: string | undefined): Uint8Array | null {
  return text === undefined || text === '' ? null : Buffer.from(text);
}

/** Strings as they are; numbers and booleans as JavaScript writes them; everything else is no key. */
function fieldOf(json: string, path: readonly string[]): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (!Object.hasOwn(value, name)) return undefined;
    const found: unknown = Reflect.get(value, name);
    value = found;
  }
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
