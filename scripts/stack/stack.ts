import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrokerNode, BrokerSettings } from './broker-settings.ts';
import { prepareKafkaCluster } from './kafka-cluster.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { findFreePorts, LOOPBACK } from './ports.ts';
import { prepareS3Store } from './s3-store.ts';
import type { S3Store } from './s3-store.ts';
import { s3Access } from './s3proxy.ts';
import type { S3Access } from './s3proxy.ts';
import { makeTempDir } from './temp-dir.ts';

export interface StackPorts {
  brokers: readonly number[];
  controllers: readonly number[];
  s3: number;
}

export interface StackOptions {
  /** Three form a cluster that survives the loss of one (replication factor 3, two in sync). */
  brokers?: 1 | 3;
  /** One for each broker; rack-a, rack-b, rack-c by default. */
  racks?: readonly string[];
  /** Free ones are chosen when absent. */
  ports?: StackPorts;
  s3?: boolean;
  /** Kept after stop() and taken up again by the next start; without it a temporary one is made and removed. */
  dataDir?: string;
  /** Must have been fetched by `node scripts/setup.mjs --kafka <version>`. */
  kafkaVersion?: string;
  /** Added to server.properties of every broker, last, so that they win. */
  brokerSettings?: BrokerSettings;
  onProgress?: (line: string) => void;
  /** For each wait: the start of a part, or one broker's return. */
  readyTimeoutMs?: number;
}

export interface StackBroker {
  id: number;
  host: string;
  port: number;
  rack: string;
  /** Undefined while the broker is down. */
  pid: number | undefined;
}

export interface LocalStack {
  /** host:port of every broker, running or not. */
  readonly bootstrap: readonly string[];
  /** As they are now. Ids count from 1. */
  readonly brokers: readonly StackBroker[];
  /** Throws when the stack was started without S3, as do the next two and the calls about S3. */
  readonly s3: S3Access;
  readonly s3Pid: number | undefined;
  /** Where S3's objects are plain files: `<objectsDir>/<bucket>/<key>`. */
  readonly objectsDir: string;
  readonly dataDir: string;
  /** SIGKILL by default; SIGTERM is a controlled shutdown. Returns when the process is gone. */
  killBroker(id: number, signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Returns when the broker is back in the metadata. */
  startBroker(id: number): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pauseBroker(id: number): void;
  resumeBroker(id: number): void;
  killS3(): Promise<void>;
  startS3(): Promise<void>;
  restartS3(): Promise<void>;
  /** Ends every process and removes temporary data. Any number of calls is fine. */
  stop(): Promise<void>;
}

export const DEFAULT_RACKS: readonly string[] = ['rack-a', 'rack-b', 'rack-c'];
const READY_TIMEOUT_MS = 120_000;
/** A controlled shutdown of a whole cluster takes about 5 s, because the last brokers have nobody to hand over to. */
const STOP_GRACE_MS = 15_000;

/**
 * Starts Apache Kafka (KRaft) and S3Proxy on loopback and returns when all of it answers: every broker in the metadata
 * with its rack, consumer groups usable, the bucket there. The processes end with this one, however it ends.
 * Throws a StackError that quotes the failing part's log.
 */
export async function startStack(options: StackOptions = {}): Promise<LocalStack> {
  const startedAt = Date.now();
  const progress = (line: string): void => {
    options.onProgress?.(`${line} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
  };
  const temp = options.dataDir === undefined ? await makeTempDir('skald-stack-') : undefined;
  const dataDir = options.dataDir ?? temp!.path;
  // Nothing of temporary data has to be in order afterwards, so nobody waits for a clean shutdown of it.
  const graceMs = temp === undefined ? STOP_GRACE_MS : 0;

  let kafka: KafkaCluster | undefined;
  let s3: S3Store | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all([kafka?.end(graceMs), s3?.end(graceMs)]);
    await temp?.remove();
  };
  try {
    await mkdir(join(dataDir, 'logs'), { recursive: true });
    const readyTimeoutMs = options.readyTimeoutMs ?? READY_TIMEOUT_MS;
    const { nodes, s3Port } = await planNodes(options);
    if (options.s3 ?? true) s3 = await prepareS3Store(s3Access(s3Port), dataDir, readyTimeoutMs);
    const startKafka = async (): Promise<KafkaCluster> => {
      const settings = { kafkaVersion: options.kafkaVersion, extraSettings: options.brokerSettings };
      kafka = await prepareKafkaCluster(nodes, { dataDir, readyTimeoutMs, ...settings });
      await kafka.start(progress);
      return kafka;
    };
    const startS3 = async (store: S3Store): Promise<void> => {
      await store.start();
      progress(`S3 answers at ${store.access.endpoint}`);
    };
    const [cluster] = await Promise.all([startKafka(), s3 === undefined ? undefined : startS3(s3)]);
    return stackHandle(nodes, cluster, s3, { dataDir, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

function stackHandle(
  nodes: readonly BrokerNode[],
  kafka: KafkaCluster,
  s3: S3Store | undefined,
  { dataDir, stop }: { dataDir: string; stop: () => Promise<void> },
): LocalStack {
  let stopped: Promise<void> | undefined;
  const requireS3 = (): S3Store => {
    if (s3 === undefined) throw new Error('this stack was started without S3');
    return s3;
  };
  return {
    bootstrap: kafka.bootstrap,
    dataDir,
    get brokers() {
      return nodes.map(({ id, rack, port }) => ({
        id,
        host: LOOPBACK,
        port,
        rack,
        pid: kafka.broker(id).pid(),
      }));
    },
    get s3() {
      return requireS3().access;
    },
    get s3Pid() {
      return requireS3().pid();
    },
    get objectsDir() {
      return requireS3().objectsDir;
    },
    killBroker: (id, signal = 'SIGKILL') => kafka.broker(id).end(signal === 'SIGTERM' ? STOP_GRACE_MS : 0),
    startBroker: (id) => kafka.startBroker(id),
    pauseBroker: (id) => kafka.broker(id).signal('SIGSTOP'),
    resumeBroker: (id) => kafka.broker(id).signal('SIGCONT'),
    killS3: () => requireS3().end(0),
    startS3: () => requireS3().start(),
    async restartS3() {
      await requireS3().end(0);
      await requireS3().start();
    },
    stop: () => (stopped ??= stop()),
  };
}

async function planNodes({
  brokers: count = 3,
  racks = DEFAULT_RACKS,
  ports,
}: StackOptions): Promise<{ nodes: BrokerNode[]; s3Port: number }> {
  const free = ports === undefined ? await findFreePorts(count * 2 + 1) : [];
  const brokerPorts = ports?.brokers ?? free.slice(0, count);
  const controllerPorts = ports?.controllers ?? free.slice(count, count * 2);
  if (racks.length < count || brokerPorts.length < count || controllerPorts.length < count) {
    throw new Error(`${count} broker(s) need as many racks, broker ports and controller ports`);
  }
  const nodes = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    rack: racks[index]!,
    port: brokerPorts[index]!,
    controllerPort: controllerPorts[index]!,
  }));
  return { nodes, s3Port: ports?.s3 ?? free.at(-1)! };
}
