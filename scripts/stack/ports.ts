import { createServer } from 'node:net';

export const LOOPBACK = '127.0.0.1';

/**
 * Below Linux's range for outgoing connections (32768 to 60999): the port of a broker that a test killed cannot be
 * taken by some client in the meantime.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const MAX_PROBES = 500;

/**
 * `count` different ports of the loopback address on which nobody listens now. What is free now may be the port of a
 * broker that is down for a moment: programs that run beside each other are given ranges of their own, by
 * SKALD_FREE_PORTS=<first>-<last> in their environment.
 */
export async function findFreePorts(count: number): Promise<number[]> {
  const [first, last] = portRange();
  const ports = new Set<number>();
  for (let probe = 0; ports.size < count; probe++) {
    if (probe === MAX_PROBES) throw new Error(`no ${count} free ports between ${first} and ${last}`);
    const port = first + Math.floor(Math.random() * (last - first + 1));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function portRange(): [first: number, last: number] {
  const range = /^(\d+)-(\d+)$/.exec(process.env['SKALD_FREE_PORTS'] ?? '');
  return range === null ? [FIRST_PORT, LAST_PORT] : [Number(range[1]), Number(range[2])];
}

export async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
