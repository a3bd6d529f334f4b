import { z } from 'zod';
import type { Framing } from '../framing/framing.ts';
import { overlapsItself } from '../framing/line-breaks.ts';
import { patternProblem } from '../framing/line-pattern.ts';
import { bytes, choice, durationMs, flag, text, whenParsed } from './fields.ts';
import { parseBytes, parseDurationMs } from './units.ts';

const KIB = 1024;
const MIB = 1024 ** 2;

const MAX_DELIMITER_BYTES = 16;
/** How long a record of several lines may stand still before it is complete, where a file does not say it. */
const RECORD_TIMEOUT = '2s';
/** Four times what Thrift's framed transport takes by default (16,384,000 bytes, TFramedTransport). */
const MAX_FRAME_SIZE = '64MiB';

const LINE_KEYS = ['delimiter', 'stripCarriageReturn', 'encoding'] as const;
const MULTILINE_KEYS = ['startPattern', 'continuePattern', 'timeoutMs'] as const;
const FRAME_KEYS = ['prefixSize', 'byteOrder', 'maxFrameBytes'] as const;

type TypeName = 'newline' | 'multiline' | 'length-prefixed';

/** The settings of a type that only some types have. */
const KEYS_OF: Record<TypeName, readonly string[]> = {
  newline: LINE_KEYS,
  multiline: [...LINE_KEYS, ...MULTILINE_KEYS],
  'length-prefixed': FRAME_KEYS,
};
const SPECIAL_KEYS = [...LINE_KEYS, ...MULTILINE_KEYS, ...FRAME_KEYS] as const;

function linePattern(description: string) {
  return text(description)
    .superRefine((pattern, context) => {
      const problem = patternProblem(pattern);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .optional()
    .meta({ description, defaultText: '' });
}

export const framingSchema = z
  .strictObject({
    type: choice(
      'How bytes become records: `newline` makes one of each line; `multiline` one of a line and those that go on with it, ' +
        'such as a stack trace; `length-prefixed` one of as many bytes as a number in front of them says, as Thrift loggers write them.',
      ['newline', 'multiline', 'length-prefixed'],
    ).default('newline'),
    maxRecordBytes: bytes(
      'Longest record. The default leaves room for the batch header and provenance in the 1,048,588 bytes that a topic takes by default.',
      { min: 1 * KIB, max: 64 * MIB, default: '1000KiB' },
    ),
    oversize: choice(
      'What becomes of a longer record: its beginning (`truncate`), all of it in several records (`split`), or nothing (`drop`). Each is counted.',
      ['truncate', 'split', 'drop'],
    ).default('split'),
    delimiter: z
      .string()
      .min(1)
      .refine((delimiter) => Buffer.byteLength(delimiter) <= MAX_DELIMITER_BYTES, {
        error: `must be at most ${MAX_DELIMITER_BYTES} bytes of UTF-8`,
      })
      .optional()
      .meta({
        description:
          'What ends a line, and is no part of the record: up to 16 bytes. In double quotes YAML knows `"\\r\\n"`, `"\\0"` and `"\\x1e"`. With `newline` and `multiline`.',
        defaultText: '`"\\n"`',
      }),
    stripCarriageReturn: flag(
      'Whether a carriage return in front of the line break that ends a record is taken off. Without it bytes travel untouched. With `newline` and `multiline`.',
    )
      .optional()
      .meta({ defaultText: '`false`' }),
    encoding: choice(
      'What the file is written in. Lines in UTF-16 become records in UTF-8, without a byte order mark; with `utf-16` that mark decides the order, ' +
        'and without one it is little endian. `bytes` is everything else, untouched. With `newline` and `multiline`.',
      ['bytes', 'utf-16', 'utf-16le', 'utf-16be'],
    )
      .optional()
      .meta({ defaultText: '`bytes`' }),
    startPattern: linePattern(
      'Regular expression (JavaScript): a line that matches begins a record. Only with `multiline`, which needs this or `continuePattern`.',
    ),
    continuePattern: linePattern(
      'Regular expression (JavaScript): a line that matches goes on with the record before it. Only with `multiline`.',
    ),
    timeoutMs: durationMs(
      'Time without new bytes in the file after which its last record is complete. Only with `multiline`.',
      { min: 100, max: 3_600_000, default: RECORD_TIMEOUT },
    )
      .unwrap()
      .optional()
      .meta({ defaultText: `\`${RECORD_TIMEOUT}\` (${parseDurationMs(RECORD_TIMEOUT)})` }),
    prefixSize: z
      .union([z.literal(2), z.literal(4), z.literal(8)], { error: 'must be 2, 4 or 8' })
      .optional()
      .meta({
        description: 'How many bytes the length in front of a record has. Only with `length-prefixed`.',
        defaultText: '`4`',
      }),
    byteOrder: choice('Order of the bytes of the length. Only with `length-prefixed`.', [
      'big-endian',
      'little-endian',
    ])
      .optional()
      .meta({ defaultText: '`big-endian`' }),
    maxFrameBytes: bytes(
      'A larger length is damage: the rest of the file is passed over, said at ERROR and counted. Only with `length-prefixed`.',
      { min: 1 * KIB, max: 1024 * MIB, default: MAX_FRAME_SIZE },
    )
      .unwrap()
      .optional()
      .meta({ defaultText: `\`${MAX_FRAME_SIZE}\` (${parseBytes(MAX_FRAME_SIZE)})` }),
  })
  .superRefine(
    (framing, context) => {
      const report = (key: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [key], message, continue: true });
      for (const key of SPECIAL_KEYS) {
        if (framing[key] === undefined || KEYS_OF[framing.type].includes(key)) continue;
        const types = Object.entries(KEYS_OF).filter(([, keys]) => keys.includes(key));
        report(
          key,
          `is not for type ${framing.type}, only for ${types.map(([type]) => type).join(' and ')}: remove it, or change the type`,
        );
      }
      const { startPattern, continuePattern, delimiter = '' } = framing;
      if (framing.type !== 'multiline') return;
      // Where such a record is cut, what follows could be read in two ways.
      if (overlapsItself(Buffer.from(delimiter)))
        report('delimiter', 'must not end as it begins, with multiline');
      if (startPattern === undefined && continuePattern === undefined) {
        report(
          'startPattern',
          "is missing; multiline needs startPattern or continuePattern, such as startPattern: '^\\d{4}-'",
        );
      } else if (startPattern !== undefined && continuePattern !== undefined) {
        report(
          'continuePattern',
          'must not be there beside startPattern: one of them says where records begin',
        );
      }
    },
    { when: whenParsed('type', ...SPECIAL_KEYS) },
  )
  .prefault({})
  .meta({ description: 'How bytes become records.' });

type ParsedFraming = z.output<typeof framingSchema>;

/** With the defaults of its type filled in. */
export interface FramingConfig {
  readonly format: Framing;
  readonly maxRecordBytes: number;
  readonly oversize: ParsedFraming['oversize'];
  /** Time after which a record of several lines is complete; only multi-line framing has one. */
  readonly recordTimeoutMs: number | undefined;
}

export function resolveFraming(parsed: ParsedFraming): FramingConfig {
  const { type, maxRecordBytes, oversize, timeoutMs = parseDurationMs(RECORD_TIMEOUT) } = parsed;
  const recordTimeoutMs = type === 'multiline' ? timeoutMs : undefined;
  return { format: formatOf(parsed), maxRecordBytes, oversize, recordTimeoutMs };
}

function formatOf(parsed: ParsedFraming): Framing {
  if (parsed.type === 'length-prefixed') {
    const { prefixSize = 4, byteOrder = 'big-endian', maxFrameBytes = parseBytes(MAX_FRAME_SIZE)! } = parsed;
    return { type: parsed.type, prefixSize, byteOrder, maxFrameBytes };
  }
  const { delimiter = '\n', stripCarriageReturn = false, encoding = 'bytes' } = parsed;
  const lines = { delimiter, stripCarriageReturn, encoding };
  if (parsed.type === 'newline') return { type: parsed.type, ...lines };
  const { startPattern, continuePattern = '' } = parsed;
  return startPattern === undefined
    ? { type: parsed.type, ...lines, matches: 'continue', pattern: continuePattern }
    : { type: parsed.type, ...lines, matches: 'start', pattern: startPattern };
}
