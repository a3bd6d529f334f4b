import type { Clock, Random } from '../../shared/clock.ts';
import type { PartitionerConfig } from '../../shared/config/partitioner-config.ts';
import { type Partitioner, singlePartition } from './partitioner.ts';
import { roundRobin } from './round-robin.ts';

/**
 * The partitioner that a pipeline's file asks for; `rack` is the agent's, undefined when it is not known. With keys it is
 * that of records without one.
 */
export function createPartitioner(
  config: PartitionerConfig,
  world: { rack: string | undefined; clock: Clock; random: Random },
): Partitioner {
  if (config.type === 'round-robin') return roundRobin({ mode: config.rack, ...world });
  const { rack: mode, stickyMs, stickyBytes } = config;
  return singlePartition({ mode, stickyMs, stickyBytes, ...world });
}
