import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadAgentConfig } from '../../../../shared/config/load-agent-config.ts';
import { loadPipelines } from '../../../../shared/config/load-pipelines.ts';
import { loadTransporterConfig } from '../../../../shared/config/load-transporter-config.ts';
import { writeAgentConfig, writeWorkerConfig } from '../../../../scripts/demo/config-files.ts';
import { tempDir } from '../../../support/temp-dir.ts';

test('Skald reads the configuration as it was meant, whatever the names of files hold', async () => {
  const home = await tempDir();
  const include = [
    '/logs/${HOME}/a b/*.log*',
    '/logs/${',
    "/logs/'quoted': - {x} # \\[y\\].log",
    `/${'long '.repeat(50)}`,
  ];
  const file = writeAgentConfig({
    home,
    host: 'host-a',
    rack: 'rack-a',
    bootstrap: ['127.0.0.1:1234', '127.0.0.1:1235'],
    statusPort: 4321,
    topic: 'demo',
    include,
  });

  const config = loadAgentConfig(file, {});
  const { pipelines, errors } = loadPipelines(config.pipelinesDir, config, {});

  expect(errors).toEqual([]);
  expect(pipelines).toHaveLength(1);
  expect(pipelines[0]).toMatchObject({ files: { include }, kafka: { topic: 'demo', cluster: 'demo' } });
  expect(config).toMatchObject({
    host: 'host-a',
    rack: 'rack-a',
    stateDir: join(home, 'state'),
    status: { host: '127.0.0.1', port: 4321 },
    clusters: { demo: { brokers: ['127.0.0.1:1234', '127.0.0.1:1235'] } },
  });
});

test('a transporter worker finds its topic, its rack and the store', async () => {
  const s3 = {
    endpoint: 'http://127.0.0.1:9000',
    region: 'us-east-1',
    bucket: 'some-bucket',
    accessKeyId: 'key',
    secretAccessKey: 'secret',
  };
  const file = writeWorkerConfig({
    home: join(await tempDir(), 'worker-b'),
    member: 'worker-b',
    rack: 'rack-b',
    bootstrap: ['127.0.0.1:1234'],
    statusPort: 4321,
    group: 'demo-group',
    topic: 'demo',
    prefix: 'logs',
    s3,
  });

  expect(loadTransporterConfig(file, {})).toMatchObject({
    member: 'worker-b',
    rack: 'rack-b',
    group: 'demo-group',
    topics: [{ topic: 'demo', prefix: 'logs', codec: 'zstd' }],
    store: { type: 's3', forcePathStyle: true, ...s3 },
    status: { port: 4321 },
  });
});
