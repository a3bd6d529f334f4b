/**
 * Patterns that say which lines begin a record. Matching is bounded twice: by the bytes of a line that are looked at, and
 * by an engine whose time grows linearly with them, whatever the pattern is. A match must not depend on time: the reader,
 * the encoder and a restarted agent have to agree on it.
 */
import { setFlagsFromString } from 'node:v8';
import { messageOf } from '../errors.ts';
import type { LineEncoding, MultilineFraming } from './framing.ts';
import { decodeUtf16 } from './utf16.ts';

/** As much of a line is looked at; what tells lines apart stands at their beginning. */
export const MATCHED_BYTES = 1024;

let isBounded = false;

/**
 * V8's backtracking engine is fast on most patterns and takes exponential time on some, such as ^(a+)+$. From here on a match
 * that goes back more often than the bound is done again by V8's other engine, which takes linear time and finds the same.
 * It does not know lookaround, back references and large repeat counts, so patterns with those are refused. The flags are
 * those of the process; who has no patterns does without them. https://v8.dev/blog/non-backtracking-regexp
 */
function boundMatching(): void {
  if (isBounded) return;
  isBounded = true;
  setFlagsFromString('--enable-experimental-regexp-engine');
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  setFlagsFromString('--regexp-backtracks-before-fallback=10000');
}

/** The flag of patterns that only V8's linear engine may match; one that it cannot match is a SyntaxError. */
const LINEAR = 'l';

/** What is wrong with a pattern; undefined when it can be used. */
export function patternProblem(pattern: string): string | undefined {
  boundMatching();
  const invalid = whyNot(pattern, '');
  if (invalid !== undefined) {
    return `must be a regular expression of JavaScript: ${invalid.replace(/^Invalid regular expression: /, '')}`;
  }
  if (whyNot(pattern, LINEAR) === undefined) return undefined;
  return (
    'must be a pattern that can be matched in linear time: without lookahead, lookbehind and back references, and with ' +
    'repeat counts up to 16'
  );
}

function whyNot(pattern: string, flags: string): string | undefined {
  try {
    RegExp(pattern, flags);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The pattern as an expression whose matching takes linear time at worst; `patternProblem` must have let it pass. */
export function boundedExpression(pattern: string): RegExp {
  boundMatching();
  return new RegExp(pattern);
}

/**
 * Whether the line that is bytes[start, end), or begins with them, begins a record. Bytes that are not UTF-8 match as
 * U+FFFD. A carriage return at the end of the line is no part of what is matched.
 */
export type BeginsRecord = (bytes: Buffer, start: number, end: number) => boolean;

export function recordPattern({ pattern, matches }: MultilineFraming, encoding: LineEncoding): BeginsRecord {
  const expression = boundedExpression(pattern);
  const whenMatched = matches === 'start';
  return (bytes, start, end) => {
    const cut = Math.min(end, start + MATCHED_BYTES);
    const text =
      encoding === 'bytes' ? bytes.toString('utf8', start, cut) : decodeUtf16(bytes, start, cut, encoding);
    const line = cut === end && text.endsWith('\r') ? text.slice(0, -1) : text;
    return expression.test(line) === whenMatched;
  };
}
