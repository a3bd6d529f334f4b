/** A network between an agent or a transporter and a broker, on loopback, that fails as networks do. */
import net from 'node:net';
import { LOOPBACK } from '../../scripts/stack/ports.ts';
import { waitFor } from './wait-for.ts';

const PRODUCE = 0;
/** Size, API key (Kafka protocol guide, Request Header). */
const REQUEST_START_BYTES = 6;

/**
 * What happens to a connection: it carries bytes, it swallows them without a word, or it keeps what the client sends, also
 * when the client has gone.
 */
type Fate = 'carry' | 'swallow' | 'hold';

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
  /** A bit turns in these bytes, when they come from the broker for the first time. */
  turnBitOf(bytes: Buffer): void;
  /** Bits that are still to turn. */
  readonly bitsToTurn: number;
  /** The next Produce request breaks off in the middle, with its connection. */
  cutRequest(): void;
  /** Connections that are open now keep their Produce requests, and what comes behind them, until they are released. */
  holdRequests(): void;
  /** Requests that are kept. */
  readonly heldRequests: number;
  /** Sends what was kept, and resolves with the broker's answers, each without its size. */
  releaseRequests(): Promise<Buffer[]>;
  close(): Promise<void>;
}

interface Connection {
  fate: Fate;
  /** Bytes of the current request that are still to come, and the start of the next one when it came in pieces. */
  bodyLeft: number;
  start: Buffer;
  sentProduce: boolean;
  /** Keeps its next Produce request and all that follows. */
  holdsProduce: boolean;
  held: Buffer[];
  answers: Buffer[];
  broker: net.Socket;
  destroy: () => void;
}

/** What comes behind each size (Kafka protocol guide, Protocol Primitive Types); half a request or answer is none. */
function framesOf(chunks: readonly Buffer[]): Buffer[] {
  const bytes = Buffer.concat(chunks);
  const frames: Buffer[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const end = at + 4 + bytes.readInt32BE(at);
    if (end > bytes.length) break;
    frames.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return frames;
}

async function release({ broker, held, answers, destroy }: Connection): Promise<Buffer[]> {
  broker.write(Buffer.concat(held));
  const requests = framesOf(held).length;
  await waitFor(() => framesOf(answers).length >= requests, {
    timeoutMs: 60_000,
    what: 'answers to late requests',
  });
  destroy();
  return framesOf(answers);
}

/** Listens on `port` and carries what comes to `targetPort`. */
export async function tcpProxy(port: number, targetPort: number): Promise<TcpProxy> {
  const open = new Set<Connection>();
  let connections = 0;
  let hangsNew = false;
  let answersToLose = 0;
  let cutsRequest = false;
  const toTurn = new Set<Buffer>();

  const turnBits = (chunk: Buffer): void => {
    for (const bytes of toTurn) {
      const at = chunk.indexOf(bytes);
      if (at < 0) continue;
      toTurn.delete(bytes);
      chunk[at]! ^= 1;
    }
  };

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
      holdsProduce: false,
      held: [],
      answers: [],
      broker,
      destroy: () => {
        client.destroy();
        broker.destroy();
        open.delete(connection);
      },
    };
    open.add(connection);
    for (const socket of [client, broker]) {
      socket.setNoDelay(true);
      const lost = (): void => {
        if (connection.fate === 'hold' && socket === client) return; // what it sent is on its way
        if (connection.fate !== 'swallow' || socket === client) connection.destroy();
      };
      socket.on('error', socket === client ? lost : connection.destroy);
      socket.on('close', lost);
    }
    client.on('data', (chunk) => {
      if (connection.fate === 'swallow') return;
      const produces = beginsProduce(connection, chunk);
      connection.sentProduce ||= produces;
      if (connection.holdsProduce && produces) connection.fate = 'hold';
      if (connection.fate === 'hold') {
        connection.held.push(chunk);
        return;
      }
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
      if (connection.fate === 'hold') {
        connection.answers.push(chunk);
        return;
      }
      if (connection.sentProduce && answersToLose > 0) {
        answersToLose -= 1;
        connection.fate = 'swallow';
        const some = answersToLose % 2 === 0 ? 0 : Math.min(3, chunk.length - 1);
        client.write(chunk.subarray(0, some), connection.destroy);
        return;
      }
      turnBits(chunk);
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
    turnBitOf: (bytes) => {
      toTurn.add(bytes);
    },
    get bitsToTurn() {
      return toTurn.size;
    },
    cutRequest: () => {
      cutsRequest = true;
    },
    holdRequests: () => {
      for (const connection of open) connection.holdsProduce = true;
    },
    get heldRequests() {
      return [...open].reduce((sum, { held }) => sum + framesOf(held).length, 0);
    },
    releaseRequests: async () => {
      const holding = [...open].filter(({ fate }) => fate === 'hold');
      return (await Promise.all(holding.map(release))).flat();
    },
    close: async () => {
      for (const connection of open) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
