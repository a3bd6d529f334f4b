import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serviceManager } from '../../../cli/service-manager.ts';
import { systemClock } from '../../../shared/clock.ts';
import { simClock } from '../../simulation/support/sim-clock.ts';
import { hasTool } from '../../support/command-line-tools.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';
import { recordedLog } from '../agent/recorded-log.ts';

const PID = 4711;
/** What systemd sets for Type=notify and WatchdogSec=60s. */
const ASKED = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '60000000', WATCHDOG_PID: String(PID) };

function setUp(env: Record<string, string> = ASKED) {
  const clock = simClock(0);
  const sent: string[] = [];
  const world: { failures: number; wedged: string | undefined } = { failures: 0, wedged: undefined };
  const { logger, lines: logged } = recordedLog();
  const manager = serviceManager({
    env,
    pid: PID,
    wedged: () => world.wedged,
    clock,
    logger,
    send: (message) => {
      if (world.failures > 0) {
        world.failures -= 1;
        return Promise.reject(new Error('spawn EAGAIN'));
      }
      sent.push(message);
      return Promise.resolve();
    },
  });
  onTestFinished(() => manager.close());
  return { ...manager, clock, sent, world, logged };
}

describe('systemd', () => {
  test('is told when the service is ready, that it lives several times in the time it waits for, and that it stops', async () => {
    const w = setUp();
    expect(w.sent).toEqual([]);
    w.ready();
    await w.clock.advance(60_000);
    expect(w.sent[0]).toBe('READY=1');
    expect(w.sent.filter((message) => message === 'WATCHDOG=1').length).toBeGreaterThanOrEqual(6);
    w.sent.length = 0;
    w.stopping();
    await w.clock.advance(1);
    expect(w.sent).toEqual(['STOPPING=1']);
    await w.close();
    await w.clock.advance(600_000);
    expect(w.sent).toEqual(['STOPPING=1']);
  });

  test('that does not ask is told nothing', async () => {
    const w = setUp({});
    w.ready();
    w.stopping();
    await w.clock.advance(600_000);
    expect(w.sent).toEqual([]);
  });

  test.each([
    ['has no watchdog', { NOTIFY_SOCKET: 's' }],
    ['has one for another process', { ...ASKED, WATCHDOG_PID: '1' }],
    ['has one of no time', { ...ASKED, WATCHDOG_USEC: '0' }],
  ])('that %s gets no signs of life', async (_, env) => {
    const w = setUp(env);
    w.ready();
    await w.clock.advance(600_000);
    expect(w.sent).toEqual(['READY=1']);
  });

  test('hears nothing of an agent that is wedged, until it is not; said once', async () => {
    const w = setUp();
    w.ready();
    await w.clock.advance(1_000);
    w.sent.length = 0;
    w.world.wedged = 'no batch has been encoded for 130 s';
    await w.clock.advance(60_000);
    expect(w.sent).toEqual([]);
    expect(w.logged.map(({ level }) => level)).toEqual(['error']);
    w.world.wedged = undefined;
    await w.clock.advance(11_000);
    expect(w.sent).toEqual(['WATCHDOG=1']);
  });

  test('hears of it late when no process can be started just then: tried again, said once', async () => {
    const w = setUp();
    w.world.failures = 7;
    w.ready();
    await w.clock.advance(60_000);
    expect(w.sent.filter((message) => message === 'READY=1')).toHaveLength(1);
    expect(w.sent).toContain('WATCHDOG=1');
    expect(w.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});

/** Stands in for systemd: prints what comes on its socket. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True: print(s.recv(4096).decode(), flush=True)
`;

test.skipIf(!hasTool('python3') || !hasTool('systemd-notify'))(
  'messages arrive on a datagram socket as sd_notify(3) has them',
  async () => {
    const socket = join(await tempDir(), 'notify.sock');
    const receiver = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => void receiver.kill('SIGKILL'));
    let heard = '';
    receiver.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    await waitFor(() => heard.includes('listening'), { timeoutMs: 5_000, what: 'the receiver' });
    const before = process.env['NOTIFY_SOCKET'];
    process.env['NOTIFY_SOCKET'] = socket;
    onTestFinished(() => {
      if (before === undefined) delete process.env['NOTIFY_SOCKET'];
      else process.env['NOTIFY_SOCKET'] = before;
    });
    const manager = serviceManager({
      env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000' },
      pid: process.pid,
      wedged: () => undefined,
      clock: systemClock,
      logger: recordedLog().logger,
    });
    manager.ready();
    const lines = (): string[] => heard.split('\n');
    await waitFor(
      () => lines().includes('READY=1') && lines().filter((line) => line === 'WATCHDOG=1').length >= 2,
      { timeoutMs: 5_000, what: 'ready, and two signs of life' },
    );
    manager.stopping();
    await manager.close();
    expect(lines()).toContain('STOPPING=1');
  },
);
