import { seededRandom } from './random.ts';

const METHODS = ['GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'HEAD'];
const STATUSES = [200, 200, 200, 200, 200, 200, 200, 200, 204, 301, 304, 304, 400, 404, 404, 500, 503];
const PATHS = [
  'items',
  'cart',
  'search',
  'accounts',
  'orders',
  'static/img',
  'api/v2/prices',
  'api/v2/stock',
];
const REFERRERS = ['-', '-', 'https://shop.example/', 'https://shop.example/search?q=winter+boots'];
const CLIENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'curl/8.5.0',
];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MARK = ' line=';

/**
 * Makes the lines of one log file, in Apache's combined log format with a mark at the end that says which line of which
 * file it is. The same file name, seed and start give the same lines again. ASCII, without a line break.
 */
export function createLineMaker(file: string, seed: number, startMs: number): () => string {
  const random = seededRandom(seed);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
  let lines = 0;
  let nowMs = startMs;
  let second = Number.NaN;
  let time = '';

  return () => {
    lines += 1;
    nowMs += random(4);
    if (Math.floor(nowMs / 1000) !== second) {
      second = Math.floor(nowMs / 1000);
      time = commonLogTime(new Date(nowMs));
    }
    const client = `10.${random(64)}.${random(256)}.${random(256)}`;
    const request = `${pick(METHODS)} /${pick(PATHS)}/${random(200_000)}?session=${random(2 ** 32).toString(36)}`;
    const status = pick(STATUSES);
    return (
      `${client} - - [${time}] "${request} HTTP/1.1" ${status} ${random(60_000)}` +
      ` "${pick(REFERRERS)}" "${pick(CLIENTS)}" ${random(900)}${MARK}${file}:${lines}`
    );
  };
}

/** Which line of which file this is; undefined when it has no such mark. Lines count from 1. */
export function markOf(line: Uint8Array): { file: string; line: number } | undefined {
  const buffer = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const mark = buffer.lastIndexOf(MARK);
  const colon = buffer.lastIndexOf(':');
  if (mark === -1 || colon < mark + MARK.length) return undefined;
  const digits = buffer.toString('latin1', colon + 1);
  if (!/^[1-9]\d{0,14}$/.test(digits)) return undefined;
  return { file: buffer.toString('latin1', mark + MARK.length, colon), line: Number(digits) };
}

/** `22/Nov/2026:16:02:35 +0000`, the time of Apache's mod_log_config. */
function commonLogTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]!}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
