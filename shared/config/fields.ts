import { z } from 'zod';
import { parseBytes, parseDurationMs } from './units.ts';

/** The same shape with every level read-only: what a frozen configuration is to TypeScript. */
export type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

export interface Range {
  min: number;
  max: number;
}

/**
 * A size: a whole number of bytes, or a string such as `64KiB` or `1MiB`. Parses to bytes.
 * `default` is written as a user would write it, because the reference page shows it.
 */
export function bytes(description: string, range: Range & { default: string }) {
  return quantity('bytes', parseBytes, description, range);
}

/** A duration: a whole number of milliseconds, or a string such as `5s` or `10m`. Parses to milliseconds. */
export function durationMs(description: string, range: Range & { default: string }) {
  return quantity('ms', parseDurationMs, description, range);
}

/** A plain whole number in a range, both ends included. */
export function count(description: string, range: Range) {
  return z.number().int().min(range.min).max(range.max).meta({ description });
}

/** A string with something in it. */
export function text(description: string) {
  return z.string().min(1).meta({ description });
}

/** A path of a file or folder. A relative one is taken from the folder of the configuration file that names it. */
export function path(description: string) {
  return text(description);
}

/** A string that a pattern describes; `shape` says in words what the pattern wants and ends the sentence "must be …". */
export function pattern(description: string, expression: RegExp, shape: string) {
  return z
    .string()
    .regex(expression, { error: `must be ${shape}` })
    .meta({ description });
}

export function flag(description: string) {
  return z.boolean().meta({ description });
}

export function choice<const Values extends readonly [string, ...string[]]>(
  description: string,
  values: Values,
) {
  return z.enum(values).meta({ description });
}

function quantity(
  unit: 'bytes' | 'ms',
  parse: (value: number | string) => number | undefined,
  description: string,
  range: Range & { default: string },
) {
  const example = unit === 'bytes' ? '1048576 or 1MiB' : '5000 or 5s';
  const what = unit === 'bytes' ? 'a size in bytes' : 'a duration in milliseconds';
  return z
    .union([z.number(), z.string()], { error: `must be ${what}, such as ${example}` })
    .transform((value, context) => {
      const parsed = parse(value);
      if (parsed === undefined) {
        context.addIssue(`must be ${what}, such as ${example}`);
        return z.NEVER;
      }
      if (parsed < range.min || parsed > range.max) {
        context.addIssue(`must be between ${range.min} and ${range.max} ${unit}`);
        return z.NEVER;
      }
      return parsed;
    })
    .meta({ description, unit, minimum: range.min, maximum: range.max })
    .prefault(range.default);
}

/**
 * Lets a rule between keys run although other keys of the object are wrong, so that all errors of a file come at once:
 * the rule runs when the keys it looks at parsed. Give it as `when` of a `refine`.
 */
export function whenParsed(...keys: readonly string[]) {
  return (payload: { value: unknown; issues: readonly RawIssue[] }) =>
    typeof payload.value === 'object' &&
    payload.value !== null &&
    payload.issues.every((issue) => {
      if (issue.code === 'unrecognized_keys') return true;
      const key = issue.path?.[0];
      return key === undefined ? issue.code === 'custom' : !keys.includes(String(key));
    });
}

interface RawIssue {
  readonly path?: readonly PropertyKey[] | undefined;
  readonly code?: string;
}
