import { onTestFinished } from 'vitest';
import { openCluster, type KafkaCluster } from '../../../shared/kafka/cluster.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import type { ClusterConfig } from '../../../shared/config/cluster-config.ts';
import { sharedStack } from '../../support/shared-stack.ts';

/** A client of the shared stack that ends with the test. */
export function client(config: Partial<ClusterConfig> = {}): KafkaCluster {
  const cluster = openCluster(
    {
      brokers: sharedStack().bootstrap,
      clientId: 'skald-test',
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 10_000,
      metadataMaxAgeMs: 60_000,
      ...config,
    },
    { logger: silentLogger },
  );
  onTestFinished(() => cluster.close());
  return cluster;
}
