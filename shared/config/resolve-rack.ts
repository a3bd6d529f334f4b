import { EC2_METADATA_ENDPOINT, type Ec2Placement } from './ec2-placement.ts';
import type { Environment } from './interpolate.ts';
import type { Report } from './parse-config.ts';
import { RACK_NAME } from './process-config.ts';
import type { ReferencedFiles } from './referenced-file.ts';

/** SKALD_RACK first, so that one file serves machines of all racks; then what the file says. */
export function resolveRack(
  parsed: {
    readonly rack?: string | undefined;
    readonly rackFile?: string | undefined;
    readonly rackFrom?: 'ec2' | 'ec2-zone-id' | undefined;
  },
  env: Environment,
  files: ReferencedFiles,
  report: Report,
): { rack?: string; rackFrom?: Ec2Placement } {
  const fromEnvironment = env['SKALD_RACK'];
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    if (!RACK_NAME.test(fromEnvironment)) report([], 'environment variable SKALD_RACK must be one word');
    return { rack: fromEnvironment };
  }
  if (parsed.rack !== undefined) return { rack: parsed.rack };
  if (parsed.rackFrom !== undefined) {
    const item = parsed.rackFrom === 'ec2' ? 'availability-zone' : 'availability-zone-id';
    return { rackFrom: { endpoint: metadataEndpoint(env, report), item } };
  }
  if (parsed.rackFile === undefined) return {};
  const rack = files.content(parsed.rackFile, ['rackFile']).trim();
  if (rack !== '' && !RACK_NAME.test(rack)) report(['rackFile'], 'its content must be one word');
  return { rack };
}

/** The variable is that of the AWS SDKs: docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html */
function metadataEndpoint(env: Environment, report: Report): string {
  const endpoint = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? '';
  if (endpoint === '') return EC2_METADATA_ENDPOINT;
  if (!URL.canParse(endpoint) || new URL(endpoint).protocol !== 'http:') {
    const example = `must be a URL such as ${EC2_METADATA_ENDPOINT}`;
    report([], `environment variable AWS_EC2_METADATA_SERVICE_ENDPOINT ${example}`);
  }
  return endpoint;
}
