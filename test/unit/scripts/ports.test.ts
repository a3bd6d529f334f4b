import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { portHolder } from '../../../scripts/stack/port-holder.ts';
import { findFreePorts, isFree, LOOPBACK } from '../../../scripts/stack/ports.ts';

async function listen(port: number): Promise<void> {
  const server = createServer();
  await once(server.listen(port, LOOPBACK), 'listening');
  onTestFinished(() => void server.close());
}

describe('free ports', () => {
  test('are all different, free, and below the range for outgoing connections', async () => {
    const ports = await findFreePorts(7);

    expect(new Set(ports).size).toBe(7);
    expect(Math.max(...ports)).toBeLessThan(32_768);
    for (const port of ports) await listen(port);
  });

  test('are of the range that SKALD_FREE_PORTS names', async () => {
    vi.stubEnv('SKALD_FREE_PORTS', '20500-20509');
    onTestFinished(() => void vi.unstubAllEnvs());

    const ports = await findFreePorts(5);

    expect(ports.filter((port) => port < 20_500 || port > 20_509)).toEqual([]);
  });

  test('do not include one on which somebody listens', async () => {
    const [port] = await findFreePorts(1);
    expect(await isFree(port!)).toBe(true);

    await listen(port!);

    expect(await isFree(port!)).toBe(false);
  });
});

describe.runIf(process.platform === 'linux')('the holder of a port', () => {
  test('is named with its process id', async () => {
    const [port] = await findFreePorts(1);
    expect(portHolder(port!)).toBeUndefined();

    await listen(port!);

    expect(portHolder(port!)).toMatch(new RegExp(`^.+ \\(process ${process.pid}\\)$`));
  });
});
