import { describe, expect, test } from 'vitest';
import { brokerSettings, toProperties } from '../../../scripts/stack/broker-settings.ts';

const nodes = [1, 2, 3].map((id) => ({ id, rack: `rack-${id}`, port: 9000 + id, controllerPort: 9100 + id }));

describe('the settings of a broker', () => {
  test('three nodes form one quorum and keep every record on two of three brokers before it counts', () => {
    const settings = brokerSettings(nodes[1]!, nodes, '/data/2');

    expect(settings).toMatchObject({
      'node.id': '2',
      'broker.rack': 'rack-2',
      'process.roles': 'broker,controller',
      'controller.quorum.voters': '1@127.0.0.1:9101,2@127.0.0.1:9102,3@127.0.0.1:9103',
      listeners: 'PLAINTEXT://127.0.0.1:9002,CONTROLLER://127.0.0.1:9102',
      'advertised.listeners': 'PLAINTEXT://127.0.0.1:9002',
      'default.replication.factor': '3',
      'min.insync.replicas': '2',
      'offsets.topic.replication.factor': '3',
      'auto.create.topics.enable': 'false',
      'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
      'log.dirs': '/data/2',
    });
  });

  test('a single node asks for no replicas that cannot exist', () => {
    expect(brokerSettings(nodes[0]!, nodes.slice(0, 1), '/data/1')).toMatchObject({
      'controller.quorum.voters': '1@127.0.0.1:9101',
      'default.replication.factor': '1',
      'min.insync.replicas': '1',
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
    });
  });

  test('what a caller adds wins', () => {
    const settings = brokerSettings(nodes[0]!, nodes, '/data/1', {
      'min.insync.replicas': '3',
      'log.roll.ms': '1000',
    });

    expect(settings).toMatchObject({ 'min.insync.replicas': '3', 'log.roll.ms': '1000' });
  });

  test('listen on loopback only', () => {
    const { listeners = '' } = brokerSettings(nodes[0]!, nodes, '/data/1');

    const hosts = [...listeners.matchAll(/\/\/(.*?):\d+/g)].map((match) => match[1]);
    expect(new Set(hosts)).toEqual(new Set(['127.0.0.1']));
  });

  test('are written as a Java properties file, where a backslash escapes', () => {
    expect(toProperties({ 'log.dirs': 'C:\\data', listeners: 'A://x:1' })).toBe(
      'log.dirs=C:\\\\data\nlisteners=A://x:1\n',
    );
  });
});
