import { boundedExpression } from '../../shared/framing/line-pattern.ts';
import type { TimeConfig } from '../../shared/config/time-config.ts';
import { fieldOf, type JsonValues } from './json-value.ts';
import { type ParseTime, timeParser } from './parse-time.ts';
import type { RecordView } from './record-view.ts';
import type { RefusedRecords } from './refused-records.ts';

/** The time that puts a record into its bucket, where that is not its timestamp. */
export interface RecordTimes {
  /** Unix milliseconds; undefined when the record has gone to the quarantine instead. */
  timeOf(record: RecordView): number | undefined;
  /** Records without a usable time whose timestamp was taken. */
  readonly fallbacks: number;
}

/**
 * As much of a value as a pattern is tried on: an expression that goes back and forth must not take hours for
 * a value of megabytes.
 */
const MAX_PATTERN_BYTES = 4096;

/** Undefined where the timestamp is the time. */
export function recordTimes(
  config: TimeConfig,
  json: JsonValues,
  refused: RefusedRecords,
): RecordTimes | undefined {
  if (config.type === 'timestamp') return undefined;
  const parse = timeParser(config.format, config.timeZone);
  const read = config.type === 'json' ? fromField(config, json, parse) : fromPattern(config, parse);
  let fallbacks = 0;
  return {
    timeOf: (record) => {
      const time = read(record);
      if (typeof time === 'number' && time >= 0) return time;
      if (config.otherwise === 'timestamp') {
        fallbacks += 1;
        return record.timestampMs;
      }
      const message = typeof time === 'string' ? time : 'the time is before 1970';
      refused.add(record, { reason: 'RECORD_TIME_UNUSABLE', message });
      return undefined;
    },
    get fallbacks() {
      return fallbacks;
    },
  };
}

/** The time, or in words why there is none. */
type ReadTime = (record: RecordView) => number | string;

function fromField(
  { field, format }: Extract<TimeConfig, { type: 'json' }>,
  json: JsonValues,
  parse: ParseTime,
): ReadTime {
  return (record) => {
    const object = json.objectOf(record);
    if (object === undefined) return 'the value is not a JSON object';
    const value = fieldOf(object, field);
    if (value === undefined) return `there is no field ${field}`;
    return parse(value) ?? `field ${field} is not a time of the format ${format}`;
  };
}

function fromPattern(
  { pattern, format }: Extract<TimeConfig, { type: 'pattern' }>,
  parse: ParseTime,
): ReadTime {
  const expression = boundedExpression(pattern);
  return ({ section, valueStart, valueEnd }) => {
    if (valueStart < 0) return 'the value is null';
    const text = section.toString('utf8', valueStart, Math.min(valueEnd, valueStart + MAX_PATTERN_BYTES));
    const found = expression.exec(text)?.[1];
    if (found === undefined) return 'the pattern of the time is nowhere in the value';
    return parse(found) ?? `what the pattern finds is not a time of the format ${format}`;
  };
}
