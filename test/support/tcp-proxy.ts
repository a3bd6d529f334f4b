/** A network between an agent and a broker, on loopback, that fails as networks do. */
import net from 'node:net';
import { LOOPBACK } from '../../scripts/stack/ports.ts';

const PRODUCE = 0;
/** Size, API key (Kafka protocol guide, Request Header). */
const REQUEST_START_BYTES = 6;

/** What happens to a connection: it carries bytes, or it swallows them without a word. */
type Fate = 'carry' | 'swallow';

export interface TcpProxy {
  /** Connections taken so far. */
  readonly connections: number;
  /** Connections that are open now hang: nothing comes through any more, and nobody closes them. New ones are fine. */
  hangOpen(): void;
  /** New connections are taken and hang, until this is undone. */
  hangNew(hang: boolean): void;
  /** The next `times` answers to Produce are lost with their connection: after none of their bytes, or after some. */
  loseAnswers(times: number): void;
  /** Answers that are still to be lost. */
  readonly answersToLose: number;
  /** The next Produce request breaks off in the middle, with its connection. */
  cutRequest(): void;
  close(): Promise<void>;
}

interface Connection {
  fate: Fate;
  /** Bytes of the current request that are still to come, and the start of the next one when it came in pieces. */
  bodyLeft: number;
  start: Buffer;
  sentProduce: boolean;
  destroy: () => void;
}

/** Listens on `port` and carries what comes to `targetPort`. */
export async function tcpProxy(port: number, targetPort: number): Promise<TcpProxy> {
  const open = new Set<Connection>();
  let connections = 0;
  let hangsNew = false;
  let answersToLose = 0;
  let cutsRequest = false;

  /** Whether a Produce request begins in `chunk`. */
  const beginsProduce = (connection: Connection, chunk: Buffer): boolean => {
    let found = false;
    let bytes = Buffer.concat([connection.start, chunk]);
    connection.start = Buffer.alloc(0);
    while (bytes.length > 0) {
      if (connection.bodyLeft === 0) {
        if (bytes.length < REQUEST_START_BYTES) {
          connection.start = bytes;
          return found;
        }
        found ||= bytes.readInt16BE(4) === PRODUCE;
        connection.bodyLeft = 4 + bytes.readInt32BE(0);
      }
      const taken = Math.min(connection.bodyLeft, bytes.length);
      connection.bodyLeft -= taken;
      bytes = bytes.subarray(taken);
    }
    return found;
  };

  const server = net.createServer((client) => {
    connections += 1;
    const broker = net.connect({ host: LOOPBACK, port: targetPort });
    const connection: Connection = {
      fate: hangsNew ? 'swallow' : 'carry',
      bodyLeft: 0,
      start: Buffer.alloc(0),
      sentProduce: false,
      destroy: () => {
        client.destroy();
        broker.destroy();
        open.delete(connection);
      },
    };
    open.add(connection);
    for (const socket of [client, broker]) {
      socket.setNoDelay(true);
      socket.on('error', connection.destroy);
      socket.on('close', () => {
        if (connection.fate !== 'swallow' || socket === client) connection.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (connection.fate === 'swallow') return;
      const produces = beginsProduce(connection, chunk);
      connection.sentProduce ||= produces;
      if (produces && cutsRequest) {
        cutsRequest = false;
        connection.fate = 'swallow'; // nothing may follow on half a request
        broker.write(chunk.subarray(0, chunk.length / 2), connection.destroy);
        return;
      }
      broker.write(chunk);
    });
    broker.on('data', (chunk) => {
      if (connection.fate === 'swallow') return;
      if (connection.sentProduce && answersToLose > 0) {
        answersToLose -= 1;
        connection.fate = 'swallow';
        const some = answersToLose % 2 === 0 ? 0 : Math.min(3, chunk.length - 1);
        client.write(chunk.subarray(0, some), connection.destroy);
        return;
      }
      client.write(chunk);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, resolve);
  });

  return {
    get connections() {
      return connections;
    },
    get answersToLose() {
      return answersToLose;
    },
    hangOpen: () => {
      for (const connection of open) connection.fate = 'swallow';
    },
    hangNew: (hang) => {
      hangsNew = hang;
    },
    loseAnswers: (times) => {
      answersToLose += times;
    },
    cutRequest: () => {
      cutsRequest = true;
    },
    close: async () => {
      for (const connection of open) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
