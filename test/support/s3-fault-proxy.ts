/**
 * An HTTP proxy in front of an S3 server, on loopback, that fails as stores and the networks before them do, by rule, and
 * remembers what it saw. The Host header is a part of the signature, so it goes through as it came.
 */
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import { LOOPBACK } from '../../scripts/stack/ports.ts';

export type S3Operation =
  | 'PutObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'
  | 'HeadBucket'
  | 'HeadObject'
  | 'other';

export interface S3Request {
  readonly operation: S3Operation;
  readonly method: string;
  /** As on the wire, query and all. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Of the rule that struck it. */
  fault?: string | undefined;
  /** HTTP status of the store's answer; undefined while or when the store has not seen it. */
  stored?: number;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One request and its fate: pass it on, answer it, or both, or neither. */
export interface Exchange {
  readonly request: S3Request;
  readonly body: Buffer;
  readonly response: ServerResponse;
  /** To the store, and its answer. */
  readonly pass: (body?: Buffer) => Promise<Answer>;
}

export type Fault = (exchange: Exchange) => Promise<void> | void;

export interface FaultRule {
  /** In the records of what it struck. */
  name: string;
  fault: Fault;
  /** Every operation when absent. */
  operation?: S3Operation;
  /** Every one of them when absent. */
  matches?: (request: S3Request) => boolean;
  /** How many requests are struck; until `lift` when absent. */
  times?: number;
}

export interface S3FaultProxy {
  readonly endpoint: string;
  /** All that came, in order. */
  readonly requests: readonly S3Request[];
  /** The first rule that fits a request strikes it. Returns what ends the rule. */
  strike(rule: FaultRule): () => void;
  /** Rules that are not used up or lifted. */
  readonly pending: readonly FaultRule[];
  close(): Promise<void>;
}

/** Before the store sees anything of it. Error codes: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
export function refuse(status: number, code: string, headers: Record<string, string> = {}): Fault {
  return ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/xml', ...headers });
    response.end(errorBody(code));
  };
}

/** The request is taken and nobody ever answers. */
export const silence: Fault = () => {};

/** The connection breaks before the store has seen the request. */
export const reset: Fault = ({ response }) => {
  response.socket?.resetAndDestroy();
};

/** The store does as it is asked, and the connection breaks before the answer. */
export const loseAnswer: Fault = async ({ pass, response }) => {
  await pass();
  response.socket?.resetAndDestroy();
};

/** The store does as it is asked, and the connection ends in the middle of the answer's head. */
export const cutHead: Fault = async ({ pass, response }) => {
  const { status } = await pass();
  response.socket?.end(`HTTP/1.1 ${status} OK\r\nDate: Thu,`);
};

/** The store does as it is asked, and its answer's body breaks off in the middle, with the connection. */
export const cutBody: Fault = async ({ pass, response }) => {
  const { status, headers, body } = await pass();
  response.writeHead(status, framedBy(Math.max(body.length, 2), headers));
  response.write(body.subarray(0, body.length / 2), () => response.socket?.destroy());
};

/** As `cutBody`, but nothing tells that more should come: what broke off was framed anew on the way. */
export const cutWithoutTrace: Fault = async ({ pass, response }) => {
  const { status, headers, body } = await pass();
  const half = body.subarray(0, body.length / 2);
  response.writeHead(status, framedBy(half.length, headers)).end(half);
};

/** The store does as it is asked; the answer's head comes, its body never does, and the connection stays. */
export const stallBody: Fault = async ({ pass, response }) => {
  const { status, headers, body } = await pass();
  response.writeHead(status, framedBy(Math.max(body.length, 1), headers));
  response.flushHeaders();
};

/** A bit of the body turns on the way to the store; the answer is the store's. */
export const flipBit: Fault = async ({ pass, body, response }) => {
  const turned = Buffer.from(body);
  const middle = turned.length >> 1;
  turned[middle] = (turned[middle] ?? 0) ^ 1;
  reply(response, await pass(turned));
};

/** Success in the status, failure in the body: what S3 does when an upload fails while it is put together. */
export const errorIn200: Fault = ({ response }) => {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(errorBody('InternalError'));
};

/** Somebody answers who is no store, such as a proxy with a page of its own. */
export const emptySuccess: Fault = ({ response }) => {
  response.writeHead(200, { 'content-length': 0 }).end();
};

/** Makes of the store an older one, which knows no conditional writes. */
export function strikeConditions(proxy: Pick<S3FaultProxy, 'strike'>): void {
  proxy.strike({
    name: 'no conditions',
    fault: refuse(501, 'NotImplemented'),
    matches: ({ headers }) => 'if-none-match' in headers,
  });
}

export async function startS3FaultProxy(target: string): Promise<S3FaultProxy> {
  const requests: S3Request[] = [];
  const rules: FaultRule[] = [];

  /** The rule that strikes a request, one use of it spent. */
  const struck = (request: S3Request): FaultRule | undefined => {
    const rule = rules.find(
      ({ operation = request.operation, matches }) =>
        operation === request.operation && matches?.(request) !== false,
    );
    if (rule?.times !== undefined && --rule.times <= 0) lift(rule);
    return rule;
  };

  const lift = (rule: FaultRule): void => {
    const index = rules.indexOf(rule);
    if (index >= 0) rules.splice(index, 1);
  };

  const server = createServer((incoming, response) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => response.destroy());
    incoming.on('end', () => {
      const request: S3Request = { operation: operationOf(method, url), method, url, headers };
      const rule = struck(request);
      request.fault = rule?.name;
      const body = Buffer.concat(chunks);
      requests.push(request);
      const pass = async (changed: Buffer = body): Promise<Answer> => {
        const answer = await send(target, request, changed);
        request.stored = answer.status;
        return answer;
      };
      const fault: Fault = rule?.fault ?? (async () => reply(response, await pass()));
      Promise.resolve(fault({ request, body, response, pass })).catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  return {
    endpoint: `http://${LOOPBACK}:${port}`,
    requests,
    get pending() {
      return [...rules];
    },
    strike: (rule) => {
      const own = { ...rule };
      rules.push(own);
      return () => lift(own);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function send(target: string, { method, url, headers }: S3Request, body: Buffer): Promise<Answer> {
  const { hostname, port } = new URL(target);
  const { expect: _, ...passed } = headers; // "100-continue" is between two neighbours
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ hostname, port, method, path: url, headers: passed }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 500, headers: answer.headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export function reply(response: ServerResponse, { status, headers, body }: Answer): void {
  const isEmptyByRule = status === 204 || status === 304;
  response.writeHead(status, isEmptyByRule ? headers : framedBy(body.length, headers)).end(body);
}

/** The store may have framed its answer in chunks, which excludes a length. */
function framedBy(bytes: number, headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { 'transfer-encoding': _, ...kept } = headers;
  return { ...kept, 'content-length': String(bytes) };
}

/** By method and query, as the S3 API reference has them; keys are in the path. */
function operationOf(method: string, url: string): S3Operation {
  const { pathname, searchParams } = new URL(url, 'http://store');
  const hasKey = /^\/[^/]+\/./.test(pathname);
  if (method === 'PUT' && hasKey) return searchParams.has('uploadId') ? 'UploadPart' : 'PutObject';
  if (method === 'POST' && searchParams.has('uploads')) return 'CreateMultipartUpload';
  if (method === 'POST' && searchParams.has('uploadId')) return 'CompleteMultipartUpload';
  if (method === 'DELETE' && searchParams.has('uploadId')) return 'AbortMultipartUpload';
  if (method === 'GET' && searchParams.has('uploads')) return 'ListMultipartUploads';
  if (method === 'HEAD') return hasKey ? 'HeadObject' : 'HeadBucket';
  return 'other';
}

function errorBody(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>injected</Message></Error>`;
}
