import kafkajs from 'kafkajs';
import type { Admin } from 'kafkajs';

const CONNECTION_TIMEOUT_MS = 2000;
const REQUEST_TIMEOUT_MS = 5000;
/** Asking for its offsets makes the broker create the offsets topic; no consumer ever joins it. */
const PROBE_GROUP = 'skald-stack-probe';

export interface ExpectedBroker {
  id: number;
  rack: string;
}

/** The ids of the brokers in the cluster's metadata that answer with the rack they should have. Throws while none answers. */
export async function readyBrokers(
  bootstrap: readonly string[],
  expected: readonly ExpectedBroker[],
): Promise<Set<number>> {
  return withAdmin(bootstrap, async (admin) => {
    const { brokers } = await admin.describeCluster();
    const ready = new Set<number>();
    for (const { id, rack } of expected) {
      if (!brokers.some(({ nodeId }) => nodeId === id)) continue;
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          { type: kafkajs.ConfigResourceTypes.BROKER, name: String(id), configNames: ['broker.rack'] },
        ],
      });
      if (resources[0]?.configEntries[0]?.configValue === rack) ready.add(id);
    }
    return ready;
  });
}

/** True when consumer groups can be used: the offsets topic exists and its coordinator answers. Throws until then. */
export async function groupsAnswer(bootstrap: readonly string[]): Promise<true> {
  return withAdmin(bootstrap, async (admin) => {
    // The client looks for a coordinator only among brokers that it has met.
    await admin.fetchTopicMetadata();
    await admin.fetchOffsets({ groupId: PROBE_GROUP });
    return true as const;
  });
}

/** kafkajs is kept quiet and without retries: the caller polls, and a broker that is not up yet is no error. */
async function withAdmin<T>(bootstrap: readonly string[], use: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = new kafkajs.Kafka({
    clientId: 'skald-stack',
    brokers: [...bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
