import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { runUntilStopped, type Program } from '../../../cli/run-until-stopped.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';

/** A program whose start, close and end a test decides, and a clock whose sleep it ends. */
function setUp(
  overrides: Partial<{ start: () => Promise<Program>; onHangUp: (program: Program) => void }> = {},
) {
  const signals = new EventEmitter();
  const closes: string[] = [];
  const started = withResolvers<void>();
  const closed = withResolvers<void>();
  const done = withResolvers<void>();
  const slept = withResolvers<void>();
  const sleeps: number[] = [];
  const sleeping = withResolvers<void>();
  const program: Program = {
    close: () => {
      closes.push('close');
      return closed.promise;
    },
    done: done.promise,
  };
  const exit = runUntilStopped({
    start: () => started.promise.then(() => program),
    ...overrides,
    shutdownTimeoutMs: 30_000,
    logger: silentLogger,
    clock: {
      sleep: (ms, signal) => {
        sleeps.push(ms);
        sleeping.resolve();
        signal?.addEventListener('abort', () => slept.resolve());
        return slept.promise;
      },
    },
    signals,
  });
  return { signals, closes, started, closed, done, slept, sleeps, sleeping, exit };
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** As Node.js does: the listener gets the name of the signal. */
function send(signals: EventEmitter, signal: string): void {
  signals.emit(signal, signal);
}

const EVENTS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

describe('the first signal stops gracefully', () => {
  test.each([
    ['SIGTERM', 0],
    ['SIGHUP', 0],
    ['SIGINT', 130],
  ])('%s ends with %i', async (signal, code) => {
    const { signals, started, closed, exit, closes } = setUp();
    started.resolve();
    send(signals, signal);
    closed.resolve();
    expect(await exit).toBe(code);
    expect(closes).toEqual(['close']);
  });

  test('a signal while it starts stops it once it has started', async () => {
    const { signals, started, closed, exit, closes } = setUp();
    send(signals, 'SIGTERM');
    expect(closes).toEqual([]);
    started.resolve();
    closed.resolve();
    expect(await exit).toBe(0);
    expect(closes).toEqual(['close']);
  });

  test('nobody listens for signals after the end', async () => {
    const { signals, started, closed, exit } = setUp();
    started.resolve();
    send(signals, 'SIGTERM');
    closed.resolve();
    await exit;
    expect(EVENTS.map((signal) => signals.listenerCount(signal))).toEqual([0, 0, 0]);
  });
});

describe('SIGHUP of a program that has another use for it', () => {
  function hangUps() {
    const heard = withResolvers<void>();
    let count = 0;
    const onHangUp = (): void => {
      count += 1;
      heard.resolve();
    };
    return { heard: heard.promise, count: () => count, onHangUp };
  }

  test('does not end it', async () => {
    const { heard, count, onHangUp } = hangUps();
    const { signals, started, closed, exit, closes } = setUp({ onHangUp });
    started.resolve();
    send(signals, 'SIGHUP');
    await heard;
    expect(closes).toEqual([]);
    send(signals, 'SIGTERM');
    send(signals, 'SIGHUP'); // while it stops: neither another use nor an end at once
    closed.resolve();
    expect(await exit).toBe(0);
    expect(count()).toBe(1);
  });

  test('is remembered while it starts', async () => {
    const { heard, count, onHangUp } = hangUps();
    const { signals, started, closed, exit } = setUp({ onHangUp });
    send(signals, 'SIGHUP');
    expect(count()).toBe(0);
    started.resolve();
    await heard;
    send(signals, 'SIGTERM');
    closed.resolve();
    await exit;
  });
});

describe('the second signal ends at once', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('%s while it closes ends with %i', async (signal, code) => {
    const { signals, started, exit } = setUp();
    started.resolve();
    send(signals, 'SIGTERM');
    send(signals, signal);
    expect(await exit).toBe(code);
  });

  test('also when it never finishes starting', async () => {
    const { signals, exit } = setUp();
    send(signals, 'SIGINT');
    send(signals, 'SIGINT');
    expect(await exit).toBe(130);
  });
});

describe('a stop has a bound', () => {
  test('a close that hangs is given up five seconds after its own bound', async () => {
    const { signals, started, slept, sleeping, sleeps, exit } = setUp();
    started.resolve();
    send(signals, 'SIGTERM');
    await sleeping.promise;
    slept.resolve();
    expect(await exit).toBe(1);
    expect(sleeps).toEqual([35_000]);
  });

  test('so is a start that hangs when the signal comes', async () => {
    const { signals, slept, exit } = setUp();
    send(signals, 'SIGTERM');
    slept.resolve();
    expect(await exit).toBe(1);
  });
});

describe('ends without a signal', () => {
  test('a program that cannot go on is closed, and that is an error', async () => {
    const { started, done, closed, exit, closes } = setUp();
    started.resolve();
    done.reject(new Error('the journal is gone'));
    closed.resolve();
    expect(await exit).toBe(1);
    expect(closes).toEqual(['close']);
  });

  test('a program that is done is closed, and that is fine', async () => {
    const { started, done, closed, exit, closes } = setUp();
    started.resolve();
    done.resolve();
    closed.resolve();
    expect(await exit).toBe(0);
    expect(closes).toEqual(['close']);
  });

  test('a program that cannot start is an error', async () => {
    const { exit } = setUp({ start: () => Promise.reject(new Error('the port is taken')) });
    expect(await exit).toBe(1);
  });
});
