import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Ec2Placement } from '../../../shared/config/ec2-placement.ts';
import { rackInTime, withRack } from '../../../shared/config/with-rack.ts';
import { isSkaldError } from '../../../shared/errors.ts';
import { recordedLog } from '../agent/recorded-log.ts';
import { type Fault, portOf, standInMetadata } from './stand-in-metadata.ts';

const TOKEN = 'PUT /latest/api/token';
const ZONE = 'GET /latest/meta-data/placement/availability-zone';

const BOUND = { timeout: 5_000 };

async function ask(endpoint: string, options: { item?: Ec2Placement['item']; attemptMs?: number } = {}) {
  const { logger, lines } = recordedLog();
  const sleeps: number[] = [];
  const clock = {
    sleep: (ms: number) => {
      sleeps.push(ms);
      return Promise.resolve();
    },
  };
  const { item = 'availability-zone', attemptMs = 5_000 } = options;
  const config: { host: string; rack?: string; rackFrom: Ec2Placement } = {
    host: 'web-7',
    rackFrom: { endpoint, item },
  };
  const result = await withRack(config, { logger, clock, random: () => 1, attemptMs });
  const [warning, ...more] = lines.filter((line) => line.level === 'warn');
  expect(more).toEqual([]);
  const error = warning?.fields['err'];
  if (warning !== undefined && !isSkaldError(error, 'RACK_UNKNOWN')) throw new Error('an unexpected warning');
  return { config, result, sleeps, why: isSkaldError(error) ? error.message : undefined };
}

/** Every item is answered by `fault`; tokens are given as the service gives them. */
function itemFault(fault: Fault): Fault {
  return (request, response) => request.method === 'GET' && fault(request, response);
}

function status(code: number, headers: Record<string, string> = {}): Fault {
  return (_, response) => {
    response.writeHead(code, headers).end();
    return true;
  };
}

function text(body: string): Fault {
  return (_, response) => {
    response.end(body);
    return true;
  };
}

describe('a machine in EC2', () => {
  test('the name of its zone: a token, then the item', async () => {
    const { endpoint, requests } = await standInMetadata();
    const { config, result } = await ask(endpoint);
    expect(result).toEqual({ ...config, rack: 'eu-central-1b' });
    expect(Object.isFrozen(result)).toBe(true);
    expect(requests).toEqual([TOKEN, ZONE]);
  });

  test('the id of its zone', async () => {
    const { endpoint, requests } = await standInMetadata();
    const { result } = await ask(endpoint, { item: 'availability-zone-id' });
    expect(result.rack).toBe('euc1-az3');
    expect(requests).toEqual([TOKEN, 'GET /latest/meta-data/placement/availability-zone-id']);
  });

  test('no connection stays behind', async () => {
    const { endpoint, connections } = await standInMetadata();
    await ask(endpoint);
    await expect.poll(connections, BOUND).toBe(0);
  });

  test('a token that is refused is replaced, once', async () => {
    let refusals = 0;
    const { endpoint, requests } = await standInMetadata(
      itemFault((request, response) => refusals++ === 0 && status(401)(request, response)),
    );
    expect((await ask(endpoint)).result.rack).toBe('eu-central-1b');
    expect(requests).toEqual([TOKEN, ZONE, TOKEN, ZONE]);
  });

  test('a service that is busy is asked again', async () => {
    let busy = 0;
    const { endpoint, requests } = await standInMetadata(
      (request, response) => busy++ < 2 && status(503)(request, response),
    );
    const { result, sleeps, why } = await ask(endpoint);
    expect(result.rack).toBe('eu-central-1b');
    expect(why).toBeUndefined();
    expect(sleeps).toHaveLength(2);
    expect(requests).toEqual([TOKEN, TOKEN, TOKEN, ZONE]);
  });

  test('an answer that is cut in its middle is asked for again', async () => {
    let cuts = 0;
    const { endpoint } = await standInMetadata(
      itemFault((_, response) => {
        if (cuts++ > 0) return false;
        response.writeHead(200, { 'content-length': '13' }).write('eu-c', () => response.destroy());
        return true;
      }),
    );
    expect((await ask(endpoint)).result.rack).toBe('eu-central-1b');
  });
});

describe('no rack, a warning that says why, and no second attempt where it could not help', () => {
  test.each<[string, Fault, string, string[]]>([
    ['instance metadata is turned off', status(403), 'status 403: instance metadata is turned off', [TOKEN]],
    ['the request for a token is not valid', status(400), 'status 400: the request is not valid', [TOKEN]],
    ['no such item', itemFault(status(404)), 'status 404: this machine has no such item', [TOKEN, ZONE]],
    [
      'every token is refused',
      itemFault(status(401)),
      'status 401: the token is refused',
      [TOKEN, ZONE, TOKEN, ZONE],
    ],
    ['a status that the guide does not name', itemFault(status(418)), 'status 418', [TOKEN, ZONE]],
    ['an empty token', text(''), 'the answer is not a token', [TOKEN]],
    ['a token that would end its header', text('a\r\nhost: b'), 'the answer is not a token', [TOKEN]],
    ['an empty item', itemFault(text('')), 'the answer is not the name of a zone', [TOKEN, ZONE]],
    ['the page of a portal', itemFault(text('<h1>Log in</h1>')), 'is not the name of a zone', [TOKEN, ZONE]],
    ['a name that no rack has', itemFault(text('z'.repeat(250))), 'is not the name of a zone', [TOKEN, ZONE]],
  ])('%s', async (_, fault, why, expected) => {
    const { endpoint, requests } = await standInMetadata(fault);
    const asked = await ask(endpoint);
    expect(asked.result).toBe(asked.config);
    expect(asked.why).toContain(why);
    expect(requests).toEqual(expected);
  });

  test('an answer without an end: it is dropped where it gets too long', async () => {
    const { endpoint, requests, connections } = await standInMetadata(
      itemFault((_, response) => {
        const more = (): void => {
          if (!response.destroyed) response.write('z'.repeat(500), () => setImmediate(more));
        };
        more();
        return true;
      }),
    );
    const { result, why } = await ask(endpoint);
    expect(result.rack).toBeUndefined();
    expect(why).toContain('longer than 1024 bytes');
    expect(requests).toEqual([TOKEN, ZONE]);
    await expect.poll(connections, BOUND).toBe(0);
  });

  test('a redirect: nobody else is asked, and nobody else gets the token', async () => {
    const elsewhere = await standInMetadata();
    for (const fault of [
      status(307, { location: `${elsewhere.endpoint}/latest/api/token` }),
      itemFault(status(302, { location: `${elsewhere.endpoint}/latest/meta-data/` })),
    ]) {
      const { endpoint } = await standInMetadata(fault);
      const { result, why } = await ask(endpoint);
      expect(result.rack).toBeUndefined();
      expect(why).toContain('a redirect, which is not followed');
    }
    expect(elsewhere.requests).toEqual([]);
  });
});

describe('no rack after four attempts', () => {
  test('a service that stays busy', async () => {
    const { endpoint, requests } = await standInMetadata(status(503));
    const { result, why } = await ask(endpoint);
    expect(result.rack).toBeUndefined();
    expect(why).toContain('status 503');
    expect(requests).toEqual([TOKEN, TOKEN, TOKEN, TOKEN]);
  });

  test('nobody listens: a machine elsewhere', async () => {
    const { result, why } = await ask(`http://127.0.0.1:${await freePort()}`);
    expect(result.rack).toBeUndefined();
    expect(why).toContain('ECONNREFUSED');
  });

  test('no answer comes, as from behind one hop too many', async () => {
    const { endpoint, requests, connections } = await standInMetadata(() => true);
    const { result, why } = await ask(endpoint, { attemptMs: 50 });
    expect(result.rack).toBeUndefined();
    expect(why).toContain('hop limit');
    expect(requests.length).toBeLessThanOrEqual(4);
    await expect.poll(connections, BOUND).toBe(0);
  });

  test('an answer begins and does not go on', async () => {
    const { endpoint } = await standInMetadata((_, response) => {
      response.writeHead(200, { 'content-length': '56' }).write('AQAEA');
      return true;
    });
    const { result, why } = await ask(endpoint, { attemptMs: 50 });
    expect(result.rack).toBeUndefined();
    expect(why).toContain('no answer in time');
  });

  test('its pauses and its attempts of a second each are eight seconds at most', async () => {
    const { endpoint } = await standInMetadata(status(503));
    const { sleeps } = await ask(endpoint);
    expect(sleeps).toHaveLength(3);
    expect(sleeps.reduce((sum, ms) => sum + ms, 0) + 4 * 1_000).toBeLessThanOrEqual(8_000);
  });
});

describe('after a start without an answer', () => {
  async function askOn(endpoint: string, signal = new AbortController().signal) {
    const { logger, lines } = recordedLog();
    const sleeps: number[] = [];
    const clock = {
      sleep: (ms: number) => {
        sleeps.push(ms);
        return Promise.resolve();
      },
    };
    const rackFrom = { endpoint, item: 'availability-zone' } as const;
    const rack = await rackInTime(rackFrom, { logger, clock, random: () => 1, signal, attemptMs: 5_000 });
    return { rack, sleeps, levels: lines.map(({ level }) => level) };
  }

  test('it is asked on, ever more rarely and without a word, until it answers', async () => {
    let asked = 0;
    const busy = itemFault((request, response) => (asked += 1) <= 10 && status(503)(request, response));
    const { endpoint } = await standInMetadata(busy);
    const { rack, sleeps, levels } = await askOn(endpoint);
    expect(rack).toBe('eu-central-1b');
    expect(levels).toEqual(['info']);
    expect(sleeps).toEqual(
      [5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600].map((seconds) => seconds * 1_000),
    );
  });

  test('a service that says no is left alone', async () => {
    const { endpoint, requests } = await standInMetadata(itemFault(status(404)));
    expect((await askOn(endpoint)).rack).toBeUndefined();
    expect(requests).toEqual([TOKEN, ZONE]);
  });

  test('an agent that stops does not wait for it', async () => {
    const over = new AbortController();
    const silent: Fault = () => {
      over.abort();
      return true;
    };
    const { endpoint } = await standInMetadata(silent);
    expect((await askOn(endpoint, over.signal)).rack).toBeUndefined();
  });
});

test('a configuration that does not ask for it is left as it is', async () => {
  const { logger, lines } = recordedLog();
  const config = { host: 'web-7', rack: 'rack-a' };
  expect(await withRack(config, { logger })).toBe(config);
  expect(lines).toEqual([]);
});

/** A port that was free a moment ago: it was bound and let go, and the system does not give it out again at once. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const port = portOf(server);
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}
