/**
 * The availability zone of this machine, as the EC2 instance metadata service tells it (IMDSv2: a token first, then the
 * item). Paths, headers and status codes: "Access instance metadata for an EC2 instance" and "How Instance Metadata
 * Service Version 2 works" in the Amazon EC2 User Guide.
 */
import { type IncomingHttpHeaders, request } from 'node:http';
import { messageOf, SkaldError } from '../errors.ts';
import { RACK_NAME } from './process-config.ts';

/** The link-local address of the service on every instance. */
export const EC2_METADATA_ENDPOINT = 'http://169.254.169.254';

export interface Ec2Placement {
  /** Origin of the service. */
  readonly endpoint: string;
  /** A name such as us-east-1a, which means another zone in each account; or an id such as use1-az1, which does not. */
  readonly item: 'availability-zone' | 'availability-zone-id';
}

/** The token is used at once and forgotten. */
const TOKEN_TTL_SECONDS = 60;
/** Far more than a token or the name of a zone; whatever answers with more is not the service. */
const MAX_ANSWER_LENGTH = 1024;
/** What a header may carry; a token is the service's own word and not ours to interpret. */
const TOKEN = /^[\x21-\x7e]+$/;
const UNAUTHORIZED = 401;

/**
 * Asks once.
 * @param signal Ends the asking; its limit is the caller's.
 * @throws SkaldError RACK_UNKNOWN; `retryable` says whether asking again could help.
 */
export async function readPlacement({ endpoint, item }: Ec2Placement, signal: AbortSignal): Promise<string> {
  const get = async (): Promise<Answer> => {
    const token = await readToken(endpoint, signal);
    const url = new URL(`/latest/meta-data/placement/${item}`, endpoint);
    return ask(url, 'GET', { 'X-aws-ec2-metadata-token': token }, signal);
  };
  let answer = await get();
  // A token is also refused when it was made before the machine woke from hibernation: a new one is asked for, once.
  if (answer.status === UNAUTHORIZED) answer = await get();
  const zone = textOf(answer);
  if (!RACK_NAME.test(zone)) throw unknown(answer.url, 'the answer is not the name of a zone', false);
  return zone;
}

async function readToken(endpoint: string, signal: AbortSignal): Promise<string> {
  const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_TTL_SECONDS) };
  const answer = await ask(new URL('/latest/api/token', endpoint), 'PUT', headers, signal);
  const token = textOf(answer);
  if (!TOKEN.test(token)) throw unknown(answer.url, 'the answer is not a token', false);
  return token;
}

interface Answer {
  url: URL;
  status: number;
  text: string;
}

function textOf({ url, status, text }: Answer): string {
  if (status === 200) return text.trim();
  const reason =
    REASONS[status] ?? (status >= 300 && status < 400 ? 'a redirect, which is not followed' : '');
  throw unknown(
    url,
    `status ${status}${reason === '' ? '' : `: ${reason}`}`,
    status === 429 || status >= 500,
  );
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'the request is not valid',
  401: 'the token is refused',
  403: 'instance metadata is turned off for this machine, or the request is not allowed',
  404: 'this machine has no such item',
  503: 'the service asks to try again',
};

async function ask(
  url: URL,
  method: 'GET' | 'PUT',
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    return await exchange(url, { method, headers, signal });
  } catch (error) {
    if (error instanceof SkaldError) throw error;
    const reason = signal.aborted
      ? 'no answer in time; inside a container the hop limit of instance metadata must be 2 or more'
      : messageOf(error);
    throw unknown(url, reason, true, error);
  }
}

/** A connection of its own, closed after the answer; node:http follows no redirect and knows no proxy. */
function exchange(
  url: URL,
  options: { method: string; headers: IncomingHttpHeaders; signal: AbortSignal },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...options, agent: false }, (response) => {
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length <= MAX_ANSWER_LENGTH) return;
        reject(unknown(url, `the answer is longer than ${MAX_ANSWER_LENGTH} bytes`, false));
        response.destroy();
      });
      response.on('error', reject);
      response.on('end', () => resolve({ url, status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

function unknown(url: URL, reason: string, retryable: boolean, cause?: unknown): SkaldError {
  return new SkaldError('RACK_UNKNOWN', `${url.href}: ${reason}`, { retryable, cause });
}
