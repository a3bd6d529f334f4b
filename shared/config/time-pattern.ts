/**
 * Patterns of dates and times, such as `dd/MMM/yyyy:HH:mm:ss Z`, with the letters of Java's DateTimeFormatter
 * that logs use. What is not a letter stands for itself; letters in single quotes do too, and '' is a quote.
 */

/** What a part of a pattern is read into. */
export type TimeUnit =
  | 'year'
  | 'month'
  | 'monthName'
  | 'day'
  | 'hour'
  | 'hour12'
  | 'halfDay'
  | 'minute'
  | 'second'
  | 'fraction'
  | 'offset'
  | 'weekday';

export const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

const FIELDS: Readonly<Record<string, { unit: TimeUnit; expression: string }>> = {
  yyyy: { unit: 'year', expression: '\\d{4}' },
  MMM: { unit: 'monthName', expression: MONTHS.join('|') },
  MM: { unit: 'month', expression: '\\d{2}' },
  M: { unit: 'month', expression: '\\d{1,2}' },
  dd: { unit: 'day', expression: '\\d{2}' },
  d: { unit: 'day', expression: '\\d{1,2}' },
  HH: { unit: 'hour', expression: '\\d{2}' },
  H: { unit: 'hour', expression: '\\d{1,2}' },
  hh: { unit: 'hour12', expression: '\\d{2}' },
  h: { unit: 'hour12', expression: '\\d{1,2}' },
  a: { unit: 'halfDay', expression: '[ap]m' },
  mm: { unit: 'minute', expression: '\\d{2}' },
  ss: { unit: 'second', expression: '\\d{2}' },
  EEE: { unit: 'weekday', expression: 'mon|tue|wed|thu|fri|sat|sun' },
  Z: { unit: 'offset', expression: 'z|[+-]\\d{2}:?\\d{2}' },
  XXX: { unit: 'offset', expression: 'z|[+-]\\d{2}:?\\d{2}' },
};

export interface TimePattern {
  /** Matches a whole text; names of months are English, in any case. */
  expression: RegExp;
  /** What each of its groups is, in order. */
  units: TimeUnit[];
}

/** Undefined for a pattern in which `timePatternProblem` finds a problem. */
export function parseTimePattern(pattern: string): TimePattern | undefined {
  const units: TimeUnit[] = [];
  let source = '';
  for (const [token] of pattern.matchAll(/'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+|'/g)) {
    if (token === "''") source += "'";
    else if (token.startsWith("'")) {
      if (token.length < 2) return undefined;
      source += escaped(token.slice(1, -1).replaceAll("''", "'"));
    } else if (/^S{1,9}$/.test(token)) {
      units.push('fraction');
      source += `(\\d{${token.length}})`;
    } else if (/^[A-Za-z]/.test(token)) {
      const field = Object.hasOwn(FIELDS, token) ? FIELDS[token] : undefined;
      if (field === undefined) return undefined;
      units.push(field.unit);
      source += `(${field.expression})`;
    } else source += escaped(token);
  }
  return { expression: new RegExp(`^${source}$`, 'i'), units };
}

/** What is wrong with a pattern, in words. A time of no certain day cannot be put into a bucket. */
export function timePatternProblem(pattern: string): string | undefined {
  const parsed = parseTimePattern(pattern);
  if (parsed === undefined) {
    const known = [...Object.keys(FIELDS), 'S to SSSSSSSSS'].join(' ');
    return `has letters that are no field; there are ${known}, and text goes in single quotes`;
  }
  const has = (...units: TimeUnit[]): boolean => units.some((unit) => parsed.units.includes(unit));
  if (!has('year') || !has('month', 'monthName') || !has('day'))
    return 'lacks the year, the month or the day';
  if (has('hour12') !== has('halfDay')) return 'h and a belong together; hours of 24 are HH';
  return new Set(parsed.units).size < parsed.units.length ? 'has a field twice' : undefined;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
