import type { TestProject } from 'vitest/node';
import { startStack } from '../../scripts/stack/stack.ts';
import type { LocalStack, StackBroker } from '../../scripts/stack/stack.ts';
import type { S3Access } from '../../scripts/stack/s3proxy.ts';

/** What tests get of the stack that all integration and e2e files share; it crosses a process boundary. */
export interface SharedStack {
  bootstrap: readonly string[];
  brokers: readonly StackBroker[];
  s3: S3Access;
  objectsDir: string;
  /** The brokers keep their logs in `<dataDir>/broker-<id>/data`. */
  dataDir: string;
}

interface Holder {
  stack: Promise<LocalStack>;
  users: number;
}

declare module 'vitest' {
  interface ProvidedContext {
    stack: SharedStack;
  }
}

/**
 * Whoever waits for compaction would wait for the cleaner's pause of 15 s. And records of days long past, which many tests
 * carry, would be deleted by retention half a minute after the brokers have started, and every five minutes.
 */
const BROKER_SETTINGS = { 'log.cleaner.backoff.ms': '1000', 'log.retention.ms': '-1' };

declare global {
  /**
   * Each project loads this file by itself, so what they share hangs on the process: the first project to need the
   * stack starts it, the last one to finish stops it.
   */
  var skaldTestStack: Holder | undefined;
}

export async function setup(project: TestProject): Promise<void> {
  const holder = (globalThis.skaldTestStack ??= {
    stack: startStack({ brokerSettings: BROKER_SETTINGS }),
    users: 0,
  });
  holder.users++;
  const { bootstrap, brokers, s3, objectsDir, dataDir } = await holder.stack;
  project.provide('stack', { bootstrap, brokers, s3, objectsDir, dataDir });
}

export async function teardown(): Promise<void> {
  const holder = globalThis.skaldTestStack;
  if (holder === undefined || --holder.users > 0) return;
  globalThis.skaldTestStack = undefined;
  const stack = await holder.stack.catch(() => undefined);
  await stack?.stop();
}
