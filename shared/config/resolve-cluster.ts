import type { z } from 'zod';
import type { ClusterConfig, clusterConfigSchema, SaslConfig, TlsConfig } from './cluster-config.ts';
import type { ReferencedFiles } from './referenced-file.ts';

type ParsedCluster = z.output<typeof clusterConfigSchema>;
type Path = readonly (string | number)[];

/** A cluster with the password read from its file and absolute, readable certificate files. */
export function resolveCluster(parsed: ParsedCluster, path: Path, files: ReferencedFiles): ClusterConfig {
  const { tls, sasl, ...cluster } = parsed;
  return {
    ...cluster,
    ...(tls === undefined || tls === false ? {} : { tls: resolveTls(tls, [...path, 'tls'], files) }),
    ...(sasl === undefined ? {} : { sasl: resolveSasl(sasl, [...path, 'sasl'], files) }),
  };
}

function resolveTls(tls: TlsConfig, path: Path, files: ReferencedFiles): TlsConfig {
  if (tls === true) return true;
  const { caFile, certFile, keyFile, ...others } = tls;
  return {
    ...others,
    ...(caFile === undefined ? {} : { caFile: files.readable(caFile, [...path, 'caFile']) }),
    ...(certFile === undefined ? {} : { certFile: files.readable(certFile, [...path, 'certFile']) }),
    ...(keyFile === undefined ? {} : { keyFile: files.readable(keyFile, [...path, 'keyFile']) }),
  };
}

function resolveSasl(
  sasl: NonNullable<ParsedCluster['sasl']>,
  path: Path,
  files: ReferencedFiles,
): SaslConfig {
  const { mechanism, username, password, passwordFile } = sasl;
  // The schema lets exactly one of the two through.
  return {
    mechanism,
    username,
    password:
      passwordFile === undefined ? (password ?? '') : files.content(passwordFile, [...path, 'passwordFile']),
  };
}
