import { createServer } from 'node:net';

export const LOOPBACK = '127.0.0.1';

/**
 * Below Linux's range for outgoing connections (32768 to 60999): the port of a broker that a test killed cannot be
 * taken by some client in the meantime.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const MAX_PROBES = 500;

/** `count` different ports of the loopback address on which nobody listens now. */
export async function findFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let probe = 0; ports.size < count; probe++) {
    if (probe === MAX_PROBES)
      throw new Error(`no ${count} free ports between ${FIRST_PORT} and ${LAST_PORT}`);
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

export async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
