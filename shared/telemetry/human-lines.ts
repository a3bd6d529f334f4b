import type { DestinationStream } from 'pino';

/** Fields that the line shows in their own places. */
const PLACED: ReadonlySet<string> = new Set(['time', 'level', 'component', 'msg']);

/** Turns lines of JSON into `12:34:56.789 WARN  publish: broker is slow  pipeline=access-log` for people at a terminal. */
export function humanLines(target: DestinationStream): DestinationStream {
  return { write: (line) => target.write(humanLine(line)) };
}

/** What is not a line of our JSON goes through as it is. */
export function humanLine(line: string): string {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof fields !== 'object' || fields === null) return line;
  const entries = new Map(Object.entries(fields));
  const time = textOf(entries.get('time')).slice(11, 23);
  const level = textOf(entries.get('level')).toUpperCase().padEnd(5);
  const component = entries.has('component') ? `${textOf(entries.get('component'))}: ` : '';
  const rest = [...entries]
    .filter(([key]) => !PLACED.has(key))
    .map(([key, value]) => `${key}=${textOf(value)}`);
  return `${[`${time} ${level} ${component}${textOf(entries.get('msg'))}`, ...rest].join('  ')}\n`;
}

function textOf(value: unknown): string {
  return printable(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
}

/** File names and broker messages may hold anything: what would move the cursor or start a line is shown, not sent. */
export function printable(text: string): string {
  return text.replaceAll(
    /\p{Cc}/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
