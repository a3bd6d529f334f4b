import { z } from 'zod';
import { choice, text, type DeepReadonly } from './fields.ts';
import { patternProblem } from '../framing/line-pattern.ts';
import { timePatternProblem } from './time-pattern.ts';

/** Numbers since 1970 by their unit, and ISO 8601; anything else is a pattern. */
export const NAMED_TIME_FORMATS = ['unix-s', 'unix-ms', 'unix-us', 'unix-ns', 'iso'] as const;

export const timeFormat = z
  .string()
  .min(1)
  .superRefine((format, context) => {
    if ((NAMED_TIME_FORMATS as readonly string[]).includes(format)) return;
    const problem = timePatternProblem(format);
    if (problem === undefined) return;
    context.addIssue(`${problem}. Formats: ${NAMED_TIME_FORMATS.join(', ')}, or a pattern`);
  })
  .meta({
    description:
      'How the time is written: `unix-s`, `unix-ms`, `unix-us`, `unix-ns`, `iso` (ISO 8601), or a pattern such as ' +
      '`dd/MMM/yyyy:HH:mm:ss Z`.',
  });

export const timeZoneName = z.string().refine(isTimeZone, {
  error: 'must be UTC or a name of the IANA time zone database, such as Europe/Berlin',
});

const writtenIn = {
  format: timeFormat.default('iso'),
  timeZone: timeZoneName
    .default('UTC')
    .meta({ description: 'Time zone of times that say none: `UTC` or an IANA name.' }),
  otherwise: choice(
    'What becomes of a record without a usable time (1970 to 9999): its `timestamp` in Kafka decides, or it goes to the `quarantine`.',
    ['timestamp', 'quarantine'],
  ).default('timestamp'),
};

const timestampSchema = z.strictObject({
  type: z.literal('timestamp').meta({ description: "The record's timestamp in Kafka." }),
});

const jsonSchema = z.strictObject({
  type: z.literal('json').meta({ description: 'A field of a value that is JSON.' }),
  field: text('Field with the time: `a.b` is field `b` of the object in field `a`.'),
  ...writtenIn,
});

const patternSchema = z.strictObject({
  type: z.literal('pattern').meta({ description: 'A part of a value that is text.' }),
  pattern: z
    .string()
    .min(1)
    .superRefine((pattern, context) => {
      const problem = expressionProblem(pattern);
      if (problem !== undefined) context.addIssue(problem);
    })
    .meta({
      description:
        'Regular expression (of JavaScript) with one group, the time. It is looked for in the first 4096 bytes of a value.',
    }),
  ...writtenIn,
});

/** Which time puts a record into its bucket. */
export const timeSchema = z
  .discriminatedUnion('type', [timestampSchema, jsonSchema, patternSchema])
  .meta({ description: 'The time that decides in which bucket a record is.' });

export type TimeConfig = DeepReadonly<z.output<typeof timeSchema>>;

function expressionProblem(pattern: string): string | undefined {
  const problem = patternProblem(pattern);
  if (problem !== undefined) return problem;
  // With an empty alternative it matches the empty text and shows how many groups there are.
  const groups = new RegExp(`${pattern}|`).exec('')!.length - 1;
  return groups === 1 ? undefined : `must have one group (…) around the time, not ${groups}`;
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
