import { LOOPBACK } from './ports.ts';

/** One node of the local cluster: broker and controller in one process (KRaft combined mode). */
export interface BrokerNode {
  id: number;
  rack: string;
  port: number;
  controllerPort: number;
}

export type BrokerSettings = Readonly<Record<string, string>>;

/** Any 16 bytes in base64 will do; a fixed one lets a kept data directory be started again. */
export const CLUSTER_ID = 'c2thbGQtbG9jYWwtc3RhaQ';

/** What every broker of the local stack and of docker-compose.yml has in common, by the size of the cluster. */
export function clusterSettings(brokerCount: number): BrokerSettings {
  const replicas = String(Math.min(3, brokerCount));
  const minInSync = brokerCount >= 3 ? '2' : '1';
  return {
    'process.roles': 'broker,controller',
    // KIP-392: consumers that send their rack are pointed to a replica in it.
    'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': minInSync,
    'num.partitions': '3',
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '3',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
    'transaction.state.log.num.partitions': '3',
    // A lone consumer gets its partitions at once instead of after three seconds.
    'group.initial.rebalance.delay.ms': '0',
    // A killed broker is noticed after 6 s instead of 9; shorter, and a busy machine would fence live ones.
    'broker.session.timeout.ms': '6000',
    'broker.heartbeat.interval.ms': '1000',
    // The default takes a quarter of the heap for compaction, which only the offsets topic uses.
    'log.cleaner.dedupe.buffer.size': '16777216',
  };
}

/**
 * server.properties of one node. The quorum is static (controller.quorum.voters): all nodes start alike and at the
 * same time, without a first one that the others must wait for.
 */
export function brokerSettings(
  node: BrokerNode,
  nodes: readonly BrokerNode[],
  logDir: string,
  extra: BrokerSettings = {},
): BrokerSettings {
  return {
    ...clusterSettings(nodes.length),
    'node.id': String(node.id),
    'broker.rack': node.rack,
    'controller.quorum.voters': nodes
      .map(({ id, controllerPort }) => `${id}@${LOOPBACK}:${controllerPort}`)
      .join(','),
    ...listenerSettings(node),
    'log.dirs': logDir,
    ...extra,
  };
}

/** Every listener of a node, for clients and for controllers; one with TLS or SCRAM would be added here. */
function listenerSettings(node: BrokerNode): BrokerSettings {
  return {
    listeners: `PLAINTEXT://${LOOPBACK}:${node.port},CONTROLLER://${LOOPBACK}:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${LOOPBACK}:${node.port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
  };
}

/** A Java properties file (java.util.Properties): backslashes are escapes there, so paths need theirs doubled. */
export function toProperties(settings: BrokerSettings): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
}
