import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadAgentConfig } from '../../../shared/config/load-agent-config.ts';
import { loadPipelines } from '../../../shared/config/load-pipelines.ts';
import { loadTransporterConfig } from '../../../shared/config/load-transporter-config.ts';

const ROOT = join(import.meta.dirname, '../../..');
const ENV = { KAFKA_PASSWORD: 'x' };

test('the commented examples are valid', () => {
  const agent = loadAgentConfig(join(ROOT, 'config/agent.yaml'), ENV);
  const { pipelines, errors } = loadPipelines(agent.pipelinesDir, agent, ENV);
  expect(errors).toEqual([]);
  expect(pipelines.map((pipeline) => pipeline.name)).toEqual(['access-log', 'stack-traces']);
  const transporter = loadTransporterConfig(join(ROOT, 'config/transporter.yaml'), ENV);
  expect(transporter.topics.map((topic) => [topic.topic, topic.prefix])).toEqual([
    ['access-log', 'logs'],
    ['audit-log', 'audit'],
    ['orders', 'logs'],
  ]);
});

test('two small files make an agent, one a transporter, without any environment', () => {
  const agent = loadAgentConfig(join(ROOT, 'config/minimal/agent.yaml'), {});
  const { pipelines, errors } = loadPipelines(join(ROOT, 'config/minimal/pipelines'), agent, {});
  expect(errors).toEqual([]);
  expect(pipelines.map((pipeline) => pipeline.kafka.topic)).toEqual(['access-log']);
  expect(loadTransporterConfig(join(ROOT, 'config/minimal/transporter.yaml'), {}).store.type).toBe('s3');
  for (const file of ['agent.yaml', 'pipelines/access-log.yaml', 'transporter.yaml']) {
    const lines = readFileSync(join(ROOT, 'config/minimal', file), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.length).toBeLessThanOrEqual(8);
  }
});

test('every example file is one of those above', () => {
  expect(
    readdirSync(join(ROOT, 'config'), { recursive: true, encoding: 'utf8' })
      // Those of docker-compose.yml are tested beside it, in test/unit/scripts/compose-file.test.ts.
      .filter((name) => name.endsWith('.yaml') && !name.startsWith('docker'))
      .sort(),
  ).toEqual([
    'agent.yaml',
    'minimal/agent.yaml',
    'minimal/pipelines/access-log.yaml',
    'minimal/transporter.yaml',
    'pipelines/access-log.yaml',
    'pipelines/stack-traces.yaml',
    'transporter.yaml',
  ]);
});
