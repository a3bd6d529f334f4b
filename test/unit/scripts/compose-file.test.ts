import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { brokerSettings, CLUSTER_ID, clusterSettings } from '../../../scripts/stack/broker-settings.ts';
import { fixedPorts } from '../../../scripts/stack/fixed-ports.ts';
import { DEFAULT_KAFKA_VERSION } from '../../../scripts/stack/jars.ts';
import { projectRoot } from '../../../scripts/stack/project-root.ts';
import { s3Access, s3ProxySettings } from '../../../scripts/stack/s3proxy.ts';
import { DEFAULT_RACKS } from '../../../scripts/stack/stack.ts';
import { loadAgentConfig } from '../../../shared/config/load-agent-config.ts';
import { loadPipelines } from '../../../shared/config/load-pipelines.ts';
import { loadTransporterConfig } from '../../../shared/config/load-transporter-config.ts';

const root = projectRoot();
const COMPOSE_FILE = join(root, 'docker-compose.yml');
const CONFIG = join(root, 'config', 'docker');

const serviceSchema = z.object({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).default([]),
});
const composeSchema = z.object({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
});

const compose = composeSchema.parse(parse(readFileSync(COMPOSE_FILE, 'utf8'), { merge: true }));
const service = (name: string): z.output<typeof serviceSchema> => compose.services[name]!;

/** How the image apache/kafka takes settings: https://github.com/apache/kafka/blob/trunk/docker/examples/README.md */
const variableOf = (setting: string): string => `KAFKA_${setting.toUpperCase().replaceAll('.', '_')}`;

describe('docker-compose.yml', () => {
  test('every service is there, and what it depends on and mounts is there too', () => {
    const named = Object.values(compose.services).flatMap(({ volumes, depends_on: needs }) => [
      ...(Array.isArray(needs) ? needs : Object.keys(needs)).map((name) =>
        Object.hasOwn(compose.services, name),
      ),
      ...volumes.map((volume) => {
        const [source = ''] = volume.split(':');
        return source.startsWith('.')
          ? existsSync(join(root, source))
          : Object.hasOwn(compose.volumes, source);
      }),
    ]);

    const agents = ['agent-a', 'agent-b', 'writer-a', 'writer-b'];
    const workers = ['transporter-a', 'transporter-b'];
    const others = ['kafka-1', 'kafka-2', 'kafka-3', 'topic', 's3', 'bucket', 'objects'];
    expect(new Set(Object.keys(compose.services))).toEqual(new Set([...agents, ...workers, ...others]));
    expect(named).not.toContain(false);
  });

  test('every image that is not built here has the tag of a version', () => {
    const pulled = Object.values(compose.services).filter(({ build }) => build === undefined);

    for (const { image } of pulled) expect(image).toMatch(/^[a-z0-9./-]+:\d+\.\d+\.\d+$/);
    expect(service('kafka-1').image).toBe(`apache/kafka:${DEFAULT_KAFKA_VERSION}`);
  });

  test('every port is published on loopback only, where the local stack has it', () => {
    const { brokers, s3 } = fixedPorts();

    for (const { ports } of Object.values(compose.services)) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    expect(brokers.map((port, index) => [index + 1, port])).toEqual(
      [1, 2, 3].map((id) => [id, Number(service(`kafka-${id}`).ports[0]!.split(':')[1])]),
    );
    expect(service('s3').ports).toEqual([`127.0.0.1:${s3}:${s3}`]);
  });

  test.skipIf(spawnSync('docker', ['compose', 'version']).status !== 0)(
    'the compose plugin accepts it',
    () => {
      const { status, stderr } = spawnSync('docker', ['compose', '-f', COMPOSE_FILE, 'config', '--quiet']);

      expect({ status, stderr: stderr.toString() }).toMatchObject({ status: 0 });
    },
  );
});

describe.each([1, 2, 3])('the broker kafka-%i', (id) => {
  const { environment, ports } = service(`kafka-${id}`);

  test('has every setting that a broker of the local stack has, and the same value of what they share', () => {
    const shared = Object.entries(clusterSettings(3)).map(([key, value]) => [variableOf(key), value]);
    const node = { id, rack: DEFAULT_RACKS[id - 1]!, port: 1, controllerPort: 2 };
    const all = Object.keys(brokerSettings(node, [node, node, node], '/data')).map(variableOf);

    expect(environment).toMatchObject(Object.fromEntries(shared));
    expect(all.filter((name) => environment[name] === undefined)).toEqual([]);
    expect(environment).toMatchObject({
      CLUSTER_ID,
      KAFKA_NODE_ID: String(id),
      KAFKA_BROKER_RACK: node.rack,
      KAFKA_HEAP_OPTS: '-Xmx512m',
    });
  });

  test('can be reached by its name from containers and by its published port from outside', () => {
    const [, published, inner] = ports[0]!.split(':');

    expect(environment['KAFKA_ADVERTISED_LISTENERS']).toBe(
      `PLAINTEXT://kafka-${id}:9092,HOST://127.0.0.1:${published}`,
    );
    expect(environment['KAFKA_LISTENERS']).toBe(`PLAINTEXT://:9092,CONTROLLER://:9093,HOST://:${inner}`);
    expect(environment['KAFKA_CONTROLLER_QUORUM_VOTERS']?.split(',')).toContain(`${id}@kafka-${id}:9093`);
  });
});

describe('the store s3', () => {
  test('has the settings and the credentials of the local one', () => {
    const access = s3Access(9000);
    const { environment } = service('s3');
    const local = s3ProxySettings(access, '/data');

    expect(environment).toMatchObject({
      S3PROXY_AUTHORIZATION: local['s3proxy.authorization'],
      S3PROXY_IDENTITY: access.accessKeyId,
      S3PROXY_CREDENTIAL: access.secretAccessKey,
      S3PROXY_V4_MAX_NON_CHUNKED_REQ_SIZE: local['s3proxy.v4-max-non-chunked-request-size'],
      JCLOUDS_PROVIDER: local['jclouds.provider'],
      JCLOUDS_FILESYSTEM_BASEDIR: '/data',
      JAVA_TOOL_OPTIONS: '-Xmx1g',
    });
    for (const name of ['bucket', 'transporter-a', 'transporter-b']) {
      expect(service(name).environment).toMatchObject({
        AWS_ACCESS_KEY_ID: access.accessKeyId,
        AWS_SECRET_ACCESS_KEY: access.secretAccessKey,
        AWS_REGION: access.region,
        AWS_ENDPOINT_URL: 'http://s3:9000',
      });
    }
  });
});

describe('the configuration files in config/docker', () => {
  const racks = new Set(DEFAULT_RACKS);

  test.each(['agent-a', 'agent-b'])('%s starts from them', (name) => {
    const { environment } = service(name);
    const agent = loadAgentConfig(join(CONFIG, 'agent.yaml'), environment);
    const { pipelines, errors } = loadPipelines(agent.pipelinesDir, agent, environment);

    expect(errors).toEqual([]);
    expect(pipelines.map(({ kafka }) => kafka.topic)).toEqual(['app-log']);
    expect(service('topic').command).toContain('--topic=app-log');
    expect(racks).toContain(agent.rack);
    expect(agent.stateDir).toBe('/var/lib/skald');
    expect(agent.clusters['main']!.brokers).toEqual(['kafka-1:9092', 'kafka-2:9092', 'kafka-3:9092']);
    const mountsOf = service(name).volumes.map((volume) => volume.split(':')[1]);
    expect(mountsOf).toEqual(['/etc/skald', '/var/log/app', '/var/lib/skald']);
  });

  test.each(['transporter-a', 'transporter-b'])('%s starts from them', (name) => {
    const transporter = loadTransporterConfig(join(CONFIG, 'transporter.yaml'), service(name).environment);

    expect(transporter.topics.map(({ topic }) => topic)).toEqual(['app-log']);
    expect(transporter.store).toMatchObject({ bucket: s3Access(9000).bucket, endpoint: 'http://s3:9000' });
    expect(racks).toContain(transporter.rack);
  });

  test('the two of a kind are in two racks', () => {
    for (const kind of ['agent', 'transporter']) {
      const rackOf = (letter: string): string => service(`${kind}-${letter}`).environment['SKALD_RACK']!;
      expect(rackOf('a')).not.toBe(rackOf('b'));
    }
  });
});
