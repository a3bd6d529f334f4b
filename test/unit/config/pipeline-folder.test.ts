import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseAgentConfig } from '../../../shared/config/load-agent-config.ts';
import {
  type FolderLook,
  type PipelineFolder,
  pipelineFolder,
} from '../../../shared/config/pipeline-folder.ts';

const HOST = parseAgentConfig('/etc/skald/agent.yaml', 'clusters: {main: {brokers: [kafka-1:9092]}}\n', {});

let dir: string;
let folder: PipelineFolder;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'skald-folder-'));
  folder = pipelineFolder(dir, HOST, {});
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const at = (file: string): string => join(dir, file);

function write(file: string, topic: string, name?: string): void {
  const text = `files: {include: [/logs/*]}\nkafka: {topic: ${topic}}\n`;
  writeFileSync(at(file), name === undefined ? text : `name: ${name}\n${text}`);
}

function topicsOf(look: FolderLook): Record<string, string> {
  return Object.fromEntries([...look.pipelines.values()].map(({ name, kafka }) => [name, kafka.topic]));
}

/** As many looks as it takes to be sure. */
function patientLook(): FolderLook {
  folder.look('settled');
  folder.look('settled');
  return folder.look('settled');
}

describe.each([
  ['at once', () => folder.look('now')],
  ['by and by', patientLook],
])('looked at %s', (_, look) => {
  test('files come, change and go', () => {
    expect(topicsOf(look())).toEqual({});
    write('a.yaml', 't1');
    write('b.yaml', 't1');
    expect(topicsOf(look())).toEqual({ a: 't1', b: 't1' });
    write('a.yaml', 't2');
    expect(topicsOf(look())).toEqual({ a: 't2', b: 't1' });
    unlinkSync(at('a.yaml'));
    expect(topicsOf(look())).toEqual({ b: 't1' });
  });

  test('what did not change is the same object', () => {
    write('a.yaml', 't1');
    const before = look().pipelines.get('a');
    write('b.yaml', 't1');
    write('a.yaml', 't1');
    expect(look().pipelines.get('a')).toBe(before);
  });

  test('a file that breaks is refused with path and line, once per content; its last version stays until it is repaired', () => {
    write('a.yaml', 't1');
    look();
    writeFileSync(at('a.yaml'), 'files: {include: [/logs/*]}\nkafka: {topic: t2, codec: zip}\n');
    folder.look('now');
    const first = folder.look('now'); // it was said by the look before
    expect(topicsOf(first)).toEqual({ a: 't1' });
    expect(first.refused.map(({ kept, isNew }) => ({ kept, isNew }))).toEqual([{ kept: 'a', isNew: false }]);
    expect(first.refused[0]?.error.message).toContain(`${at('a.yaml')}:2:27: kafka.codec: `);
    writeFileSync(at('a.yaml'), 'files: {include: [/logs/*]}\nkafka: {topic: t3, codec: zip}\n');
    expect(folder.look('now').refused.map(({ isNew }) => isNew)).toEqual([true]);
    write('a.yaml', 't4');
    const repaired = look();
    expect(topicsOf(repaired)).toEqual({ a: 't4' });
    expect(repaired.refused).toEqual([]);
  });

  test('a new file that is invalid runs nothing until it is corrected', () => {
    writeFileSync(at('a.yaml'), 'kafka: {topic: t}\n');
    const refused = look();
    expect(topicsOf(refused)).toEqual({});
    expect(refused.refused.map(({ kept }) => kept)).toEqual([undefined]);
    write('a.yaml', 't');
    expect(topicsOf(look())).toEqual({ a: 't' });
  });

  test('a file that is renamed keeps its pipeline when it names it', () => {
    write('a.yaml', 't', 'named');
    look();
    renameSync(at('a.yaml'), at('z.yaml'));
    const { pipelines, refused } = look();
    expect([...pipelines.keys()]).toEqual(['named']);
    expect(refused).toEqual([]);
  });

  test('of two files with one name, the one that runs stays, whatever the order of files', () => {
    write('m.yaml', 't1', 'named');
    look();
    write('a.yaml', 't2', 'named');
    const both = look();
    expect(topicsOf(both)).toEqual({ named: 't1' });
    expect(both.refused.map(({ error }) => error.where['file'])).toEqual([at('a.yaml')]);
    unlinkSync(at('m.yaml'));
    const one = look();
    expect(topicsOf(one)).toEqual({ named: 't2' });
    expect(one.refused).toEqual([]);
  });

  test('a file that takes the name of another is refused, and its own pipeline goes on as it was', () => {
    write('a.yaml', 't1');
    write('b.yaml', 't2');
    look();
    write('b.yaml', 't3', 'a');
    const { pipelines, refused } = look();
    expect(topicsOf({ pipelines, refused })).toEqual({ a: 't1', b: 't2' });
    expect(refused.map(({ kept }) => kept)).toEqual(['b']);
  });

  test('a folder that is gone ends no pipeline', () => {
    write('a.yaml', 't1');
    look();
    renameSync(dir, `${dir}-away`);
    const gone = look();
    expect(topicsOf(gone)).toEqual({ a: 't1' });
    expect(gone.refused.map(({ error }) => error.code)).toEqual(['CONFIG_UNREADABLE']);
    renameSync(`${dir}-away`, dir);
    expect(look().refused).toEqual([]);
  });

  test('a file that cannot be read any more keeps its pipeline', () => {
    write('a.yaml', 't1');
    look();
    unlinkSync(at('a.yaml'));
    mkdirSync(at('a.yaml'));
    const { pipelines, refused } = look();
    expect([...pipelines.keys()]).toEqual(['a']);
    expect(refused.map(({ error }) => error.code)).toEqual(['CONFIG_UNREADABLE']);
  });
});

describe('a patient look', () => {
  test('takes a file over that it finds the same way twice, not one that is being written', () => {
    write('a.yaml', 't');
    expect(topicsOf(folder.look('settled'))).toEqual({});
    writeFileSync(at('a.yaml'), 'files: {include: [/logs/*]}\n');
    expect(folder.look('settled')).toMatchObject({ refused: [] });
    write('a.yaml', 'topic');
    expect(topicsOf(folder.look('settled'))).toEqual({});
    expect(topicsOf(folder.look('settled'))).toEqual({ a: 'topic' });
  });

  test('does not see half of a rename', () => {
    write('a.yaml', 't', 'named');
    folder.look('now');
    unlinkSync(at('a.yaml'));
    expect(topicsOf(folder.look('settled'))).toEqual({ named: 't' });
    write('b.yaml', 't', 'named');
    const later = [folder.look('settled'), folder.look('settled'), folder.look('settled')];
    expect(later.map((look) => [...look.pipelines.keys()])).not.toContainEqual([]);
  });

  test('does not read again what has the same size and times', () => {
    write('a.yaml', 't');
    patientLook();
    folder.look('settled');
    const secretly = pipelineFolder(dir, HOST, {});
    expect(topicsOf(secretly.look('now'))).toEqual({ a: 't' });
    chmodSync(at('a.yaml'), 0o600); // another time of change, the same content
    const before = folder.look('settled').pipelines.get('a');
    expect(folder.look('settled').pipelines.get('a')).toBe(before);
  });
});

test('a thousand pipelines: a look that finds nothing new takes milliseconds', () => {
  for (let n = 0; n < 1000; n += 1) write(`p${n}.yaml`, 't');
  folder.look('now');
  patientLook();
  const startMs = performance.now();
  const { pipelines } = folder.look('settled');
  const tookMs = performance.now() - startMs;
  expect(pipelines.size).toBe(1000);
  expect(tookMs).toBeLessThan(500); // a few on a quiet machine; reading and checking them all takes longer
});
