/**
 * Sizes and durations as people write them. Sizes use the IEC binary units (IEC 80000-13: 1 KiB = 1024 bytes) and the
 * SI decimal ones (1 kB = 1000 bytes); durations use ms, s, m, h and d. Settings carry their unit in the name.
 */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Bytes of `1048576`, `"1MiB"` or `"1.5 MB"`; undefined when it is not a whole, non-negative number of bytes. */
export function parseBytes(value: number | string): number | undefined {
  return parseQuantity(value, BYTE_UNITS);
}

/** Milliseconds of `5000`, `"5s"` or `"1.5h"`; undefined when it is not a whole, non-negative number of milliseconds. */
export function parseDurationMs(value: number | string): number | undefined {
  return parseQuantity(value, DURATION_UNITS);
}

function parseQuantity(value: number | string, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof value === 'number') return wholeOrUndefined(value);
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(value.trim());
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? undefined : wholeOrUndefined(Number(digits) * factor);
}

function wholeOrUndefined(value: number): number | undefined {
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
