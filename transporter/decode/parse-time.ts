import {
  MONTHS,
  parseTimePattern,
  type TimePattern,
  type TimeUnit,
} from '../../shared/config/time-pattern.ts';
import { zonedTime } from './zoned-time.ts';

/**
 * Unix milliseconds of a time, with microseconds behind the point; undefined when it is not one, or not
 * between 1900 and 9999: what lies before has no zones, and is mostly a zero of some program.
 */
export type ParseTime = (value: unknown) => number | undefined;

const FIRST_YEAR = 1900;
const FIRST_MS = Date.UTC(FIRST_YEAR, 0);
const END_MS = Date.UTC(10_000, 0);

const PER_MS: Readonly<Record<string, number>> = {
  'unix-s': 1 / 1000,
  'unix-ms': 1,
  'unix-us': 1000,
  'unix-ns': 1_000_000,
};

/** For a format that the configuration allows; `timeZone` is that of times that say none. */
export function timeParser(format: string, timeZone: string): ParseTime {
  const perMs = PER_MS[format];
  if (perMs !== undefined) return (value) => inRange(numberOf(value) / perMs);
  const toUtc = zonedTime(timeZone);
  const parse = format === 'iso' ? isoParser(toUtc) : patternParser(parseTimePattern(format)!, toUtc);
  // Many lines are of one second.
  let knownText: string | undefined;
  let known: number | undefined;
  return (value) => {
    if (typeof value !== 'string') return undefined;
    if (value !== knownText) {
      known = inRange(parse(value));
      knownText = value;
    }
    return known;
  };
}

function inRange(ms: number): number | undefined {
  return ms >= FIRST_MS && ms < END_MS ? ms : undefined; // never so for NaN
}

/** A number, also as text, as JSON writes numbers; NaN for anything else. */
function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
}

/** What a clock shows, and by how many minutes it is ahead of UTC. */
interface ClockTime {
  year: number;
  /** From 0. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  /** Of a second, below 1. */
  fraction: number;
  offsetMinutes: number | undefined;
}

/** Dates and times of ISO 8601 and RFC 3339, with T or a space between, and a point or a comma before the fraction. */
const ISO =
  /^(\d{4})-?(\d\d)-?(\d\d)(?:[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9})\d*)?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/;

function isoParser(toUtc: (wallMs: number) => number): (text: string) => number {
  return (text) => {
    const match = ISO.exec(text);
    if (match === null) return NaN;
    const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', offset] = match;
    const time = {
      year: Number(year),
      month: Number(month) - 1,
      day: Number(day),
      hour: Number(hour),
      minute: Number(minute),
      second: Number(second),
      fraction: Number(`0.${fraction}`),
      offsetMinutes: offset === undefined ? undefined : offsetMinutes(offset),
    };
    return toMs(time, toUtc);
  };
}

function patternParser(
  { expression, units }: TimePattern,
  toUtc: (wallMs: number) => number,
): (text: string) => number {
  return (text) => {
    const match = expression.exec(text);
    if (match === null) return NaN;
    const read: Partial<Record<TimeUnit, string>> = {};
    for (const [index, unit] of units.entries()) read[unit] = match[index + 1]!.toLowerCase();
    const time = {
      year: Number(read.year),
      month: read.monthName === undefined ? Number(read.month) - 1 : MONTHS.indexOf(read.monthName),
      day: Number(read.day),
      hour: hourOf(read),
      minute: Number(read.minute ?? 0),
      second: Number(read.second ?? 0),
      fraction: Number(`0.${read.fraction ?? 0}`),
      offsetMinutes: read.offset === undefined ? undefined : offsetMinutes(read.offset),
    };
    return toMs(time, toUtc);
  };
}

/** 12 am is midnight, 12 pm is noon. */
function hourOf({ hour, hour12, halfDay }: Partial<Record<TimeUnit, string>>): number {
  if (hour12 === undefined) return Number(hour ?? 0);
  const shown = Number(hour12);
  return shown < 1 || shown > 12 ? NaN : (shown % 12) + (halfDay === 'pm' ? 12 : 0);
}

/** `Z`, `+02`, `+0200` or `+02:00`. */
function offsetMinutes(text: string): number {
  if (text === 'Z' || text === 'z') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(3).replace(':', ''));
  return text.startsWith('-') ? -minutes : minutes;
}

/** NaN for a day, hour, minute or second that no clock shows; the leap second 60 is the second after it. */
function toMs(time: ClockTime, toUtc: (wallMs: number) => number): number {
  const { year, month, day, hour, minute, second, fraction, offsetMinutes } = time;
  const midnight = Date.UTC(year, month, day);
  // Date.UTC means 1999 by the year 99.
  const isDay = year >= FIRST_YEAR && month <= 11 && new Date(midnight).getUTCDate() === day;
  if (!isDay || hour > 23 || minute > 59 || second > 60) return NaN;
  const wallMs = midnight + ((hour * 60 + minute) * 60 + second) * 1000;
  // The fraction is added last: offsets are of whole minutes, and the wall clock's caches of whole seconds.
  const utcMs = offsetMinutes === undefined ? toUtc(wallMs) : wallMs - offsetMinutes * 60_000;
  return utcMs + Math.round(fraction * 1e6) / 1000;
}
