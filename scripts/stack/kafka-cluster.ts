import { prepareBroker, startBrokerProcess } from './broker.ts';
import type { BrokerNode, BrokerSettings } from './broker-settings.ts';
import { groupsAnswer, readyBrokers } from './kafka-admin.ts';
import { LOOPBACK } from './ports.ts';
import { createService } from './service.ts';
import type { Service } from './service.ts';
import { waitFor } from './wait-for.ts';

export interface KafkaClusterOptions {
  dataDir: string;
  kafkaVersion: string | undefined;
  extraSettings: BrokerSettings | undefined;
  readyTimeoutMs: number;
}

export interface KafkaCluster {
  readonly bootstrap: readonly string[];
  /** Throws for an id that is not in the cluster. */
  broker(id: number): Service;
  /** Starts all brokers; returns when they are in the metadata with their racks and groups can be used. */
  start(progress: (line: string) => void): Promise<void>;
  /** Returns when the broker is back in the metadata. */
  startBroker(id: number): Promise<void>;
  end(graceMs: number): Promise<void>;
}

/** Writes configurations and formats storage; starts nothing yet. */
export async function prepareKafkaCluster(
  nodes: readonly BrokerNode[],
  { dataDir, kafkaVersion, extraSettings, readyTimeoutMs }: KafkaClusterOptions,
): Promise<KafkaCluster> {
  const bootstrap = nodes.map(({ port }) => `${LOOPBACK}:${port}`);
  const services = new Map(
    await Promise.all(
      nodes.map(async (node) => {
        const files = await prepareBroker(node, nodes, { dataDir, kafkaVersion, extraSettings });
        const launch = (): ReturnType<typeof startBrokerProcess> => startBrokerProcess(files, kafkaVersion);
        return [node.id, createService(`broker ${node.id}`, files.logFile, launch)] as const;
      }),
    ),
  );
  const broker = (id: number): Service => {
    const service = services.get(id);
    if (service === undefined)
      throw new Error(`no broker ${id}; there are ${[...services.keys()].join(', ')}`);
    return service;
  };
  /** The first broker that ends fails the wait: a cluster that lost a node at start-up needs a look, not patience. */
  const whileAllRun = async (wait: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
    const waits = [...services.values()].map((service) => service.whileRunning(wait));
    await Promise.all(waits);
  };

  return {
    bootstrap,
    broker,
    async start(progress) {
      for (const service of services.values()) service.start();
      await whileAllRun((signal) =>
        waitFor(async () => (await readyBrokers(bootstrap, nodes)).size === nodes.length, {
          timeoutMs: readyTimeoutMs,
          what: `${nodes.length} broker(s) in the metadata with their racks`,
          signal,
        }),
      );
      progress(`${nodes.length} broker(s) in the metadata: ${bootstrap.join(', ')}`);
      await whileAllRun((signal) =>
        waitFor(() => groupsAnswer(bootstrap), {
          timeoutMs: readyTimeoutMs,
          what: 'consumer groups answer',
          signal,
        }),
      );
      progress('consumer groups answer');
    },
    async startBroker(id) {
      broker(id).start();
      const started = nodes.filter((node) => node.id === id);
      // Only the first address is tried, and any other broker may be down.
      const itself = started.map(({ port }) => `${LOOPBACK}:${port}`);
      await broker(id).whileRunning((signal) =>
        waitFor(async () => (await readyBrokers(itself, started)).has(id), {
          timeoutMs: readyTimeoutMs,
          what: `broker ${id} in the metadata`,
          signal,
        }),
      );
    },
    async end(graceMs) {
      await Promise.all([...services.values()].map((service) => service.end(graceMs)));
    },
  };
}
