import { inject } from 'vitest';
import { createTopic, topicIsReady } from '../../scripts/stack/kafka-admin.ts';
import type { TopicOptions } from '../../scripts/stack/kafka-admin.ts';
import type { SharedStack } from './global-setup.ts';
import { uniqueName } from './unique-name.ts';
import { waitFor } from './wait-for.ts';

const TOPIC_READY_TIMEOUT_MS = 30_000;

/**
 * The running stack of the integration and e2e projects: three racked brokers and S3. It is shared: use names of your
 * own (`freshTopic`, `freshPrefix`) and do not break it. A test that breaks brokers starts one with `startStack`.
 */
export function sharedStack(): SharedStack {
  return inject('stack');
}

/** Creates a topic of its own for a test and returns its name when every broker knows all its leaders. */
export async function freshTopic(
  options: Partial<TopicOptions> = {},
  bootstrap: readonly string[] = sharedStack().bootstrap,
): Promise<string> {
  const topic = uniqueName('test');
  const partitions = options.replicaAssignment?.length ?? options.partitions ?? 3;
  await createTopic(bootstrap, topic, { ...options, partitions });
  await waitFor(() => topicIsReady(bootstrap, topic, partitions), {
    timeoutMs: TOPIC_READY_TIMEOUT_MS,
    what: `all leaders of ${topic}`,
  });
  return topic;
}

/** A key prefix of its own for a test, without slashes at its ends. */
export function freshPrefix(): string {
  return uniqueName('test');
}
