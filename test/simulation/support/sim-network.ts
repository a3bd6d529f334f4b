/** What lies between an agent and its brokers: connections that are slow, break, hang, and lose requests and answers. */
import type { Random } from '../../../shared/clock.ts';
import { SkaldError } from '../../../shared/errors.ts';
import type { KafkaCluster } from '../../../shared/kafka/cluster.ts';
import { type KafkaRequest, ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import { metadataRequest } from '../../../shared/kafka/requests/metadata.ts';
import type { ProcessLife } from './process-life.ts';
import { between } from './random.ts';
import type { SimClock } from './sim-clock.ts';

export interface NetworkFaults {
  /** Share of requests that are lost on their way in, and of answers that are lost on their way out. */
  lostRequests: number;
  lostAnswers: number;
  /** Share of requests that arrive seconds after the client has given them up and sent them again. */
  lateRequests?: number;
}

export interface NetworkState {
  /** Brokers that refuse connections, and whose connections are broken. */
  down: Set<number>;
  /** Brokers that keep their connections and answer nothing: SIGSTOP, or a network that swallows packets. */
  hanging: Set<number>;
  /** What every way takes on top. */
  delayMs: number;
}

export interface ClientOptions {
  brokers: readonly number[];
  answer: <T>(nodeId: number, request: KafkaRequest<T>, bytes: Buffer) => Promise<T>;
  faults: NetworkFaults;
  network: NetworkState;
  clock: SimClock;
  random: Random;
  life: ProcessLife;
}

/** How long a client waits for an answer before it gives the connection up. */
const CLIENT_TIMEOUT_MS = 1_000;

export function simClient(options: ClientOptions): KafkaCluster {
  const { answer, faults, network, clock, random, life } = options;
  /** One connection to each broker: requests are worked through in the order in which they were sent. */
  const connections = new Map<number, Promise<unknown>>();

  const failed = (
    code: 'KAFKA_TIMEOUT' | 'KAFKA_DISCONNECTED' | 'KAFKA_UNREACHABLE',
    what: string,
  ): SkaldError => new SkaldError(code, what);

  /** The way there, the broker's work, and the way back. */
  const exchange = async <T>(nodeId: number, request: KafkaRequest<T>, bytes: Buffer): Promise<T> => {
    const { apiName } = request;
    const requestLost = random() < faults.lostRequests;
    const answerLost = random() < faults.lostAnswers;
    await clock.after(between(random, 1, 20) + network.delayMs);
    if (network.down.has(nodeId)) throw failed('KAFKA_DISCONNECTED', `broker ${nodeId} has gone`);
    if (requestLost) throw failed('KAFKA_TIMEOUT', `the request of ${apiName} lost`);
    const answered = await answer(nodeId, request, bytes);
    await clock.after(between(random, 1, 20) + network.delayMs);
    if (answerLost || network.down.has(nodeId))
      throw failed('KAFKA_TIMEOUT', `the answer of ${apiName} lost`);
    return answered;
  };

  /** The client gives up, and the request may arrive all the same. */
  const hang = async <T>(nodeId: number, request: KafkaRequest<T>, bytes: Buffer): Promise<T> => {
    connections.delete(nodeId); // a connection that timed out is thrown away
    void clock.after(between(random, 1, 8_000)).then(async () => {
      if (!network.hanging.has(nodeId) && !network.down.has(nodeId)) await answer(nodeId, request, bytes);
    });
    await clock.after(CLIENT_TIMEOUT_MS);
    throw failed('KAFKA_TIMEOUT', `${request.apiName} got no answer`);
  };

  const send = async <T>(nodeId: number, request: KafkaRequest<T>): Promise<T> => {
    const writer = new ProtocolWriter();
    request.encode(writer);
    const bytes = Buffer.from(writer.finish());
    if (network.down.has(nodeId)) {
      await clock.after(between(random, 1, 5));
      throw failed('KAFKA_UNREACHABLE', `broker ${nodeId} is down`);
    }
    if (network.hanging.has(nodeId) || random() < (faults.lateRequests ?? 0))
      return hang(nodeId, request, bytes);
    const before = connections.get(nodeId) ?? Promise.resolve();
    const sent = before.then(() => exchange(nodeId, request, bytes));
    connections.set(
      nodeId,
      sent.catch(() => {}),
    );
    const answered = await sent;
    // Seen by a process that was stopped meanwhile: the broker has closed the connection, the answer is gone.
    if (life.frozen && random() < 0.5) {
      throw failed('KAFKA_DISCONNECTED', 'the connection expired while the process was stopped');
    }
    return answered;
  };

  const anyBroker = (): number => {
    const up = options.brokers.filter((id) => !network.down.has(id));
    const pool = up.length > 0 ? up : options.brokers;
    return pool[Math.floor(random() * pool.length)]!;
  };

  return {
    metadata: async (topics) => {
      const got = await life.through(send(anyBroker(), metadataRequest(topics)));
      return {
        clusterId: got.clusterId,
        controllerId: got.controllerId,
        brokers: new Map(got.brokers.map((b) => [b.nodeId, b])),
        topics: new Map(got.topics.map((t) => [t.topic, t])),
      };
    },
    send: (nodeId, _lane, request) => life.through(send(nodeId, request)),
    sendToAny: (request) => life.through(send(anyBroker(), request)),
    close: () => Promise.resolve(),
  };
}
