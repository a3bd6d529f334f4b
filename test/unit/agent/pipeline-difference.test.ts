import { describe, expect, test } from 'vitest';
import { pipelineDifference } from '../../../agent/pipeline-difference.ts';
import { parsePipeline } from '../../../shared/config/load-pipeline.ts';
import type { PipelineConfig } from '../../../shared/config/pipeline-config.ts';

const HOST = {
  clusters: {},
  limits: { memoryBytes: 128 << 20, encodeThreads: 1, maxOpenFiles: 100, maxWatchedDirectories: 100 },
};

function pipeline(name: string, kafka = '', file = `/etc/skald/pipelines/${name}.yaml`): PipelineConfig {
  const text = `name: ${name}\nfiles: {include: [/logs/*]}\nkafka: {cluster: main, topic: t${kafka}}\n`;
  return parsePipeline(file, text, { ...HOST, clusters: { main: CLUSTER } }, {});
}

const CLUSTER = {
  brokers: ['127.0.0.1:9092'],
  clientId: 'skald',
  connectTimeoutMs: 1000,
  requestTimeoutMs: 1000,
  metadataMaxAgeMs: 1000,
};

function byName(...pipelines: PipelineConfig[]): Map<string, PipelineConfig> {
  return new Map(pipelines.map((config) => [config.name, config]));
}

const NOTHING = { start: [], replace: [], stop: [] };

describe('the difference between what was wanted and what is', () => {
  test('a new name starts, a missing one stops, another setting replaces, and the rest is left alone', () => {
    const edited = pipeline('edited', ', lingerMs: 10');
    const added = pipeline('added');
    const difference = pipelineDifference(
      byName(pipeline('same'), pipeline('edited'), pipeline('removed')),
      byName(pipeline('same'), edited, added),
    );
    expect(difference).toEqual({ start: [added], replace: [edited], stop: ['removed'] });
  });

  test('a file that was written again with the same settings is no difference', () => {
    expect(pipelineDifference(byName(pipeline('a')), byName(pipeline('a')))).toEqual(NOTHING);
    const inOtherWords = pipeline('a', ', lingerMs: 0.2s, level: 1');
    expect(pipelineDifference(byName(pipeline('a')), byName(inOtherWords))).toEqual(NOTHING);
  });

  test('neither is a file of another name that names the same pipeline', () => {
    const renamed = pipeline('a', '', '/etc/skald/pipelines/z.yaml');
    expect(pipelineDifference(byName(pipeline('a')), byName(renamed))).toEqual(NOTHING);
  });

  test('from nothing all start, to nothing all stop', () => {
    const all = byName(pipeline('a'), pipeline('b'));
    expect(pipelineDifference(new Map(), all)).toEqual({ ...NOTHING, start: [...all.values()] });
    expect(pipelineDifference(all, new Map())).toEqual({ ...NOTHING, stop: ['a', 'b'] });
  });
});
