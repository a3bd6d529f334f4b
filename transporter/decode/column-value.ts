import type { ColumnConfig } from '../../shared/config/column-config.ts';
import type { ColumnValue } from './parquet-column.ts';
import { decimalShape } from './parquet-schema.ts';
import { timeParser } from './parse-time.ts';

/** A value of JSON as its column wants it; undefined when it does not fit. JSON's null never comes here. */
export type FitValue = (value: unknown) => ColumnValue | undefined;

const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** Nothing is converted that would not come back the same: a text is no number and a number no text. */
export function fitValue({ type, format = 'iso', timeZone = 'UTC' }: ColumnConfig): FitValue {
  switch (type) {
    case 'string':
      return (value) => (typeof value === 'string' && !/\p{Surrogate}/u.test(value) ? value : undefined);
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? value : undefined);
    case 'int32':
      return (value) => (typeof value === 'number' && (value | 0) === value ? value : undefined);
    case 'int64':
      return int64;
    case 'float':
      return (value) => (typeof value === 'number' && Math.abs(value) <= MAX_FLOAT ? value : undefined);
    case 'double':
      return (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);
    case 'date':
      return daysOf;
    case 'timestamp':
      return microsecondsOf(format, timeZone);
    default:
      return decimalOf(decimalShape(type));
  }
}

/**
 * Whether a double may have lost digits of a number in JSON: it holds 15 of them in any case. Such numbers come
 * again as text.
 */
export function mayBeInexact(value: unknown): boolean {
  return typeof value === 'number' && String(value).replaceAll(/\D/g, '').length > 15;
}

/** Whether the type has more digits than a double. */
export function isExact({ type }: ColumnConfig): boolean {
  return type === 'int64' || type.startsWith('decimal');
}

/** Also from text, as Protocol Buffers write 64 bits in JSON. */
function int64(value: unknown): ColumnValue | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return undefined;
  const number = BigInt(value);
  return BigInt.asIntN(64, number) === number ? number : undefined;
}

function daysOf(value: unknown): ColumnValue | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(value)) return undefined;
  const ms = Date.parse(value);
  return new Date(ms).getUTCDate() === Number(value.slice(8)) ? ms / 86_400_000 : undefined;
}

function microsecondsOf(format: string, timeZone: string): FitValue {
  const parse = timeParser(format, timeZone);
  return (value) => {
    const ms = parse(value);
    return ms === undefined ? undefined : Math.round(ms * 1000);
  };
}

/** The digits without the point. Also from text, because many write amounts so. */
function decimalOf({ precision, scale }: { precision: number; scale: number }): FitValue {
  return (value) => {
    const text = typeof value === 'number' ? String(value) : value;
    const match = typeof text === 'string' ? /^(-?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text) : null;
    if (match === null || !/\d/.test(match[0])) return undefined;
    const [, sign, whole = '', fraction = ''] = match;
    if (whole.length > precision - scale || fraction.length > scale) return undefined;
    const digits = BigInt(whole + fraction.padEnd(scale, '0'));
    return sign === '-' ? -digits : digits;
  };
}
