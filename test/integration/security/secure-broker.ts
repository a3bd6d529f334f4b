import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { findFreePorts } from '../../../scripts/stack/ports.ts';
import { type LocalStack, startStack } from '../../../scripts/stack/stack.ts';

export interface SecureBroker {
  stack: LocalStack;
  /** host:port of the listener with TLS and SASL. */
  address: string;
  /** PEM of the certificate authority to trust. */
  caFile: string;
}

export const USER = 'alice';
export const PASSWORD = 'correct-horse-battery-staple';
const STORE_PASSWORD = 'store-password';

/** A key and a certificate for 127.0.0.1 by the JDK's own tool. */
function makeCertificate(directory: string): { keystore: string; caFile: string } {
  const keystore = join(directory, 'broker.p12');
  const caFile = join(directory, 'ca.pem');
  const store = [
    '-keystore',
    keystore,
    '-storetype',
    'PKCS12',
    '-storepass',
    STORE_PASSWORD,
    '-alias',
    'broker',
  ];
  const names = ['-dname', 'CN=broker', '-ext', 'SAN=IP:127.0.0.1', '-validity', '2'];
  execFileSync('keytool', ['-genkeypair', '-keyalg', 'RSA', '-keysize', '2048', ...names, ...store], {
    stdio: 'ignore',
  });
  execFileSync('keytool', ['-exportcert', '-rfc', '-file', caFile, ...store], { stdio: 'ignore' });
  return { keystore, caFile };
}

/**
 * A broker of its own for this test, with a second listener that wants TLS and SASL (PLAIN, SCRAM-SHA-256 or -512), and
 * further `settings`.
 */
export async function startSecureBroker(
  directory: string,
  settings: Record<string, string> = {},
): Promise<SecureBroker> {
  const { keystore, caFile } = makeCertificate(directory);
  const [plain, controller, secure, s3] = await findFreePorts(4);
  const login = 'org.apache.kafka.common.security';
  const stack = await startStack({
    brokers: 1,
    s3: false,
    ports: { brokers: [plain!], controllers: [controller!], s3: s3! },
    brokerSettings: {
      listeners: `PLAINTEXT://127.0.0.1:${plain},CONTROLLER://127.0.0.1:${controller},SECURE://127.0.0.1:${secure}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${plain},SECURE://127.0.0.1:${secure}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL',
      'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.secure.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${USER}="${PASSWORD}";`,
      'listener.name.secure.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
      'listener.name.secure.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
      'ssl.keystore.location': keystore,
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.password': STORE_PASSWORD,
      ...settings,
    },
  });
  onTestFinished(() => stack.stop());
  const user = ['--entity-type', 'users', '--entity-name', USER];
  const alter = ['--bootstrap-server', stack.bootstrap[0]!, '--alter', ...user, '--add-config'];
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    await kafkaTool('kafka.admin.ConfigCommand', [...alter, `${mechanism}=[password=${PASSWORD}]`]);
  }
  return { stack, address: `127.0.0.1:${secure}`, caFile };
}
