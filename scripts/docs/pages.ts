import { agentConfigSchema } from '../../shared/config/agent-config.ts';
import { pipelineConfigSchema } from '../../shared/config/pipeline-config.ts';
import { transporterConfigSchema } from '../../shared/config/transporter-config.ts';
import { AGENT_METRICS } from '../../shared/telemetry/agent-metrics.ts';
import { TRANSPORTER_METRICS } from '../../shared/telemetry/transporter-metrics.ts';
import { configReference } from './config-reference.ts';
import { errorReference } from './error-reference.ts';
import { metricReference } from './metric-reference.ts';

/** The pages with generated sections: path from the root of the repository, then section, then its text. */
export function generatedPages(): Readonly<Record<string, Readonly<Record<string, string>>>> {
  return {
    'docs/configuration.md': {
      agent: configReference(agentConfigSchema),
      pipeline: configReference(pipelineConfigSchema),
      transporter: configReference(transporterConfigSchema),
    },
    'docs/errors.md': { errors: errorReference() },
    'docs/metrics.md': {
      agent: metricReference(AGENT_METRICS),
      transporter: metricReference(TRANSPORTER_METRICS),
    },
  };
}
