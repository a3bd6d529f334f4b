/**
 * Lines of a shop's access log in Apache's combined format, 237 bytes on the average. What makes real ones compress is in
 * them: few pages have most of the visits and a size of their own, a visitor comes with the same address and browser for a
 * while, and most pages are reached from the one before. zstd 1 makes an eighth of them, gzip 6 the same, lz4 a fifth; of the
 * demo's, which draw all that anew for each line, zstd 1 makes a sixth.
 */
import { seededRandom } from '../scripts/demo/random.ts';

const VISITORS = 4_000;
/** Of a hundred requests, how many come from somebody who was not there before. */
const NEW_VISITORS_PERCENT = 3;
const PAGES = 30_000;
const SECTIONS = [
  'products',
  'category',
  'static/img',
  'static/js',
  'search',
  'cart',
  'account/orders',
  'api/v2/stock',
];
const OTHER_SITES = ['https://www.google.com/', 'https://www.bing.com/', 'https://news.example.org/shopping'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

interface Page {
  path: string;
  bytes: number;
}

interface Visitor {
  address: string;
  browser: string;
  /** Where the next request comes from. */
  last: string;
}

/** The same seed and start give the same lines. ASCII, without a line break. */
export function createAccessLog(seed: number, startMs: number): () => string {
  const random = seededRandom(seed);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
  /** The first are the most frequent, each as often as its rank is low (Zipf). */
  const popular = <T>(values: readonly T[]): T =>
    values[Math.floor(values.length ** (random(2 ** 32) / 2 ** 32)) - 1]!;
  const browsers = makeBrowsers(random);
  const pages = Array.from({ length: PAGES }, (): Page => {
    const section = pick(SECTIONS);
    return { path: `/${section}/${random(10 ** 6)}`, bytes: 200 + random(90_000) };
  });
  const arrive = (): Visitor => ({
    address: `${11 + random(200)}.${random(256)}.${random(256)}.${random(256)}`,
    browser: popular(browsers),
    last: random(3) === 0 ? '-' : pick(OTHER_SITES),
  });
  const visitors = Array.from({ length: VISITORS }, arrive);
  let nowMs = startMs;
  let second = Number.NaN;
  let time = '';

  return () => {
    nowMs += random(4);
    if (Math.floor(nowMs / 1000) !== second) {
      second = Math.floor(nowMs / 1000);
      time = commonLogTime(new Date(nowMs));
    }
    const place = Math.floor(VISITORS * (random(2 ** 32) / 2 ** 32) ** 2);
    if (random(100) < NEW_VISITORS_PERCENT) visitors[place] = arrive();
    const visitor = visitors[place]!;
    const page = popular(pages);
    const outcome = random(100);
    const method = outcome < 93 ? 'GET' : outcome < 99 ? 'POST' : 'HEAD';
    const [status, bytes] = outcomeOf(random(1000), page, random);
    const line =
      `${visitor.address} - - [${time}] "${method} ${page.path} HTTP/1.1" ${status} ${bytes}` +
      ` "${visitor.last}" "${visitor.browser}" ${random(400)}`;
    visitor.last = `https://shop.example${page.path}`;
    return line;
  };
}

function outcomeOf(of1000: number, { bytes }: Page, random: (below: number) => number): [number, number] {
  if (of1000 < 820) return [200, bytes];
  if (of1000 < 920) return [304, 0];
  if (of1000 < 960) return [302, 154];
  if (of1000 < 990) return [404, 1245];
  return [random(4) === 0 ? 503 : 500, 512];
}

/** Some hundred, as they differ by system and version. */
function makeBrowsers(random: (below: number) => number): string[] {
  const systems = [
    'Windows NT 10.0; Win64; x64',
    'Macintosh; Intel Mac OS X 10_15_7',
    'X11; Linux x86_64',
    'Linux; Android 14; K',
  ];
  return Array.from({ length: 200 }, () => {
    const system = systems[random(systems.length)]!;
    const version = 100 + random(40);
    if (random(4) === 0)
      return `Mozilla/5.0 (${system}; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`;
    return `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.${random(7000)}.${random(200)} Safari/537.36`;
  });
}

/** `22/Nov/2026:16:02:35 +0000`, the time of Apache's mod_log_config. */
function commonLogTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]!}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
