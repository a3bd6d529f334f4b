import type { KafkaCluster } from '../shared/kafka/cluster.ts';

export interface ClusterLease {
  readonly cluster: KafkaCluster;
  /** The last one to let go of a cluster closes its connections. Twice is fine. */
  release(): Promise<void>;
}

export interface SharedClusters {
  lease(name: string): ClusterLease;
}

/** One client for each Kafka cluster, whatever the number of its pipelines, and none for a cluster without any. */
export function sharedClusters(open: (name: string) => KafkaCluster): SharedClusters {
  const shared = new Map<string, { cluster: KafkaCluster; users: number }>();
  return {
    lease: (name) => {
      const entry = shared.get(name) ?? { cluster: open(name), users: 0 };
      shared.set(name, entry);
      entry.users += 1;
      let released = false;
      return {
        cluster: entry.cluster,
        release: async () => {
          if (released) return;
          released = true;
          entry.users -= 1;
          if (entry.users > 0) return;
          shared.delete(name); // at once: who leases while it closes gets a new one
          await entry.cluster.close();
        },
      };
    },
  };
}
