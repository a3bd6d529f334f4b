/** A Kafka cluster as seen from one client: its metadata, its racks, and a way to send a request to one broker. */
import { readFileSync } from 'node:fs';
import type tls from 'node:tls';
import type { ClusterConfig } from '../config/cluster-config.ts';
import type { Random } from '../clock.ts';
import { isSkaldError, SkaldError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AnswerMemory } from './answer-reader.ts';
import { type BrokerConnection, openBrokerConnection } from './kafkajs-internals.ts';
import type { KafkaRequest } from './protocol.ts';
import { type BrokerInfo, metadataRequest, type TopicInfo } from './requests/metadata.ts';

export interface ClusterView {
  clusterId: string;
  controllerId: number;
  brokers: Map<number, BrokerInfo>;
  /** Only the topics that were asked for; a missing one is present with its error code. */
  topics: Map<string, TopicInfo>;
}

/**
 * A broker works through the requests of one connection one after the other, so a long poll, a join, or a batch that waits
 * for replicas would hold up everything behind it. Each lane is a connection of its own, opened when first used; who must
 * not wait for others that produce has a lane with a name.
 */
export type Lane = 'control' | 'produce' | `produce/${string}` | 'fetch' | 'group';

export interface KafkaCluster {
  /** Asks a broker, never a cache. Adds what it learns of the brokers to what `send` knows. */
  metadata(topics: readonly string[]): Promise<ClusterView>;
  /**
   * Sends to one broker and returns the decoded answer; error codes inside the answer are the caller's to read.
   * @throws SkaldError KAFKA_UNREACHABLE, KAFKA_DISCONNECTED, KAFKA_TIMEOUT, KAFKA_TLS, KAFKA_AUTHENTICATION, KAFKA_PROTOCOL
   */
  send<T>(nodeId: number, lane: Lane, request: KafkaRequest<T>): Promise<T>;
  /** Sends to whichever broker answers first in random order. */
  sendToAny<T>(request: KafkaRequest<T>): Promise<T>;
  close(): Promise<void>;
}

export interface ClusterOptions {
  logger: Logger;
  random?: Random;
  /** For large answers in the lane `fetch`. Who gets one gives its memory back. */
  answers?: AnswerMemory;
}

function tlsOptions(config: ClusterConfig): tls.ConnectionOptions | null {
  if (config.tls === undefined) return null;
  if (config.tls === true) return {};
  const { caFile, certFile, keyFile, serverName, rejectUnauthorized } = config.tls;
  return {
    rejectUnauthorized,
    ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    ...(certFile !== undefined && { cert: readFileSync(certFile) }),
    ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

/** `host:port`, with IPv6 hosts in brackets. */
export function parseBrokerAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** Connects lazily: nothing is sent before the first `metadata` or `send`. */
export function openCluster(config: ClusterConfig, options: ClusterOptions): KafkaCluster {
  const random = options.random ?? Math.random;
  const { logger } = options;
  let brokers = new Map<number, BrokerInfo>();
  let closed = false;
  /** By lane and address; there from when the connection is being opened, so that two senders share one. */
  const connections = new Map<string, { opening: Promise<BrokerConnection>; opened?: BrokerConnection }>();

  const open = async (lane: Lane, host: string, port: number): Promise<BrokerConnection> => {
    let ssl: tls.ConnectionOptions | null;
    try {
      ssl = tlsOptions(config);
    } catch (error) {
      throw new SkaldError('CONFIG_UNREADABLE', `Cannot read a TLS file: ${String(error)}`, {
        cause: error,
      });
    }
    const connection = await openBrokerConnection({
      host,
      port,
      clientId: config.clientId,
      ssl,
      // A copy: configuration is frozen, and kafkajs keeps its authenticator in the object.
      sasl: config.sasl === undefined ? null : { ...config.sasl },
      connectTimeoutMs: config.connectTimeoutMs,
      requestTimeoutMs: config.requestTimeoutMs,
      answers: lane === 'fetch' ? options.answers : undefined,
      debug: (message, fields) => logger.debug({ ...fields, component: 'kafkajs' }, message),
    });
    if (closed) connection.close();
    return connection;
  };

  /**
   * Decides at once, so that all who send over a connection wait for the same promise and are served in the order of their
   * calls: batches that overtook each other while a connection is replaced would be out of order for the broker.
   */
  const connect = (lane: Lane, host: string, port: number): Promise<BrokerConnection> => {
    if (closed) {
      return Promise.reject(
        new SkaldError('KAFKA_DISCONNECTED', 'The client is closed.', { retryable: false }),
      );
    }
    const key = `${lane}/${host}:${port}`;
    const known = connections.get(key);
    if (known !== undefined && known.opened?.isOpen !== false) return known.opening;
    const entry: { opening: Promise<BrokerConnection>; opened?: BrokerConnection } = {
      opening: open(lane, host, port),
    };
    connections.set(key, entry);
    entry.opening.then(
      (connection) => {
        entry.opened = connection;
      },
      () => {
        if (connections.get(key) === entry) connections.delete(key); // who waits for it hears why
      },
    );
    return entry.opening;
  };

  const sendToAny = async <T>(request: KafkaRequest<T>): Promise<T> => {
    // Known brokers first, then the configured ones: all known brokers may have been replaced meanwhile.
    const known = shuffled([...brokers.values()], random);
    const configured = shuffled(config.brokers, random).map(parseBrokerAddress);
    let lastError: unknown;
    for (const { host, port } of [...known, ...configured]) {
      try {
        return await (await connect('control', host, port)).send(request);
      } catch (error) {
        // A wrong password or certificate is the same at every broker, and each try may count towards a lock-out.
        if (isSkaldError(error, 'KAFKA_AUTHENTICATION') || closed) throw error;
        lastError = error;
      }
    }
    throw lastError;
  };

  return {
    metadata: async (topics) => {
      const answer = await sendToAny(metadataRequest(topics));
      brokers = new Map(answer.brokers.map((broker) => [broker.nodeId, broker]));
      return {
        clusterId: answer.clusterId,
        controllerId: answer.controllerId,
        brokers,
        topics: new Map(answer.topics.map((topic) => [topic.topic, topic])),
      };
    },
    send: async (nodeId, lane, request) => {
      const broker = brokers.get(nodeId);
      if (broker === undefined) {
        throw new SkaldError('KAFKA_UNREACHABLE', `Broker ${nodeId} is not in the cluster's metadata.`, {
          where: { nodeId },
        });
      }
      return (await connect(lane, broker.host, broker.port)).send(request);
    },
    sendToAny,
    close: () => {
      closed = true;
      for (const { opening } of connections.values()) {
        // One that is still being opened closes itself when it is; a broker that hangs must not hold up the end.
        opening.then(
          (connection) => connection.close(),
          () => {}, // it never opened
        );
      }
      connections.clear();
      return Promise.resolve();
    },
  };
}
