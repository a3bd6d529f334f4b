/**
 * Error codes of the Kafka protocol that Skald's requests can get back.
 * Source: https://kafka.apache.org/protocol#protocol_error_codes; `retriable` is the protocol's own column.
 */
export interface KafkaErrorInfo {
  code: number;
  name: string;
  retriable: boolean;
  message: string;
}

const TABLE: readonly [code: number, name: string, retriable: boolean, message: string][] = [
  [-1, 'UNKNOWN_SERVER_ERROR', false, 'the broker had an unexpected error; its own log says more'],
  [0, 'NONE', false, 'no error'],
  [1, 'OFFSET_OUT_OF_RANGE', false, 'the offset is outside what the broker keeps for the partition'],
  [2, 'CORRUPT_MESSAGE', true, 'the record batch failed its CRC or size check at the broker'],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION', true, 'the topic or partition does not exist on this broker'],
  [5, 'LEADER_NOT_AVAILABLE', true, 'the partition has no leader right now'],
  [6, 'NOT_LEADER_OR_FOLLOWER', true, 'this broker is not the leader or a replica of the partition'],
  [7, 'REQUEST_TIMED_OUT', true, 'the broker could not finish in time, for example waiting for replicas'],
  [8, 'BROKER_NOT_AVAILABLE', false, 'the broker is not available'],
  [9, 'REPLICA_NOT_AVAILABLE', true, 'the replica is not available on this broker'],
  [10, 'MESSAGE_TOO_LARGE', false, "the record batch is larger than the topic's max.message.bytes"],
  [
    12,
    'OFFSET_METADATA_TOO_LARGE',
    false,
    "the offset metadata is larger than the broker's offset.metadata.max.bytes",
  ],
  [13, 'NETWORK_EXCEPTION', true, 'the broker disconnected before it answered'],
  [14, 'COORDINATOR_LOAD_IN_PROGRESS', true, 'the coordinator is loading its state'],
  [15, 'COORDINATOR_NOT_AVAILABLE', true, 'the coordinator is not available'],
  [16, 'NOT_COORDINATOR', true, 'this broker is not the coordinator'],
  [17, 'INVALID_TOPIC_EXCEPTION', false, 'the topic name is not allowed'],
  [18, 'RECORD_LIST_TOO_LARGE', false, "the request holds batches larger than the broker's segment size"],
  [19, 'NOT_ENOUGH_REPLICAS', true, 'fewer in-sync replicas than min.insync.replicas'],
  [
    20,
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    true,
    'appended, but to fewer in-sync replicas than min.insync.replicas',
  ],
  [21, 'INVALID_REQUIRED_ACKS', false, 'the broker does not take acks=all'],
  [22, 'ILLEGAL_GENERATION', false, 'the group generation is not the current one'],
  [23, 'INCONSISTENT_GROUP_PROTOCOL', false, 'the group uses another protocol type or assigner'],
  [24, 'INVALID_GROUP_ID', false, 'the group id is not allowed'],
  [25, 'UNKNOWN_MEMBER_ID', false, 'the coordinator does not know this member'],
  [
    26,
    'INVALID_SESSION_TIMEOUT',
    false,
    "the session time-out is outside the broker's group.min/max.session.timeout.ms",
  ],
  [27, 'REBALANCE_IN_PROGRESS', false, 'the group is rebalancing'],
  [28, 'INVALID_COMMIT_OFFSET_SIZE', false, 'the offset commit is too large'],
  [29, 'TOPIC_AUTHORIZATION_FAILED', false, 'not allowed to use the topic: grant the ACL'],
  [30, 'GROUP_AUTHORIZATION_FAILED', false, 'not allowed to use the group: grant the ACL'],
  [31, 'CLUSTER_AUTHORIZATION_FAILED', false, 'not allowed on the cluster: grant the ACL (IdempotentWrite)'],
  [
    32,
    'INVALID_TIMESTAMP',
    false,
    "a timestamp is outside of what the topic takes (message.timestamp.*.max.ms): check this machine's clock",
  ],
  [33, 'UNSUPPORTED_SASL_MECHANISM', false, 'the broker does not support this SASL mechanism'],
  [34, 'ILLEGAL_SASL_STATE', false, 'the broker did not expect this request in its SASL state'],
  [35, 'UNSUPPORTED_VERSION', false, 'the broker does not support this request version'],
  [36, 'TOPIC_ALREADY_EXISTS', false, 'the topic exists already'],
  [41, 'NOT_CONTROLLER', true, 'this broker is not the controller'],
  [42, 'INVALID_REQUEST', false, 'the broker found the request malformed'],
  [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', false, "the topic's message format does not support the request"],
  [44, 'POLICY_VIOLATION', false, "the broker's own policy refuses the request"],
  [
    45,
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    false,
    'the base sequence does not follow the last one of this producer id',
  ],
  [46, 'DUPLICATE_SEQUENCE_NUMBER', false, 'the broker has this sequence already'],
  [47, 'INVALID_PRODUCER_EPOCH', false, 'a newer epoch of this producer id is in use'],
  [51, 'CONCURRENT_TRANSACTIONS', true, 'another transaction of the same id is in progress'],
  [53, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', false, 'not allowed to use the transactional id'],
  [56, 'KAFKA_STORAGE_ERROR', true, "the broker's disk failed for this partition"],
  [58, 'SASL_AUTHENTICATION_FAILED', false, 'user name or password refused'],
  [59, 'UNKNOWN_PRODUCER_ID', false, 'the broker has forgotten this producer id'],
  [60, 'REASSIGNMENT_IN_PROGRESS', false, 'a partition reassignment is in progress'],
  [72, 'LISTENER_NOT_FOUND', true, 'the leader has no endpoint on this listener'],
  [74, 'FENCED_LEADER_EPOCH', true, 'the leader epoch is older than the current one'],
  [75, 'UNKNOWN_LEADER_EPOCH', true, 'the leader epoch is newer than the broker knows'],
  [
    76,
    'UNSUPPORTED_COMPRESSION_TYPE',
    false,
    'the broker does not support the codec for this request version',
  ],
  [78, 'OFFSET_NOT_AVAILABLE', true, 'the leader has not yet caught up with its high watermark'],
  [79, 'MEMBER_ID_REQUIRED', false, 'join again with the member id from this answer'],
  [81, 'GROUP_MAX_SIZE_REACHED', false, 'the group has as many members as the broker allows'],
  [82, 'FENCED_INSTANCE_ID', false, 'another process joined with the same static member id'],
  [87, 'INVALID_RECORD', false, 'the broker refused a record of the batch'],
  [89, 'THROTTLING_QUOTA_EXCEEDED', true, 'the quota is used up'],
  [90, 'PRODUCER_FENCED', false, 'a newer producer with the same transactional id is in use'],
  [
    100,
    'UNKNOWN_TOPIC_ID',
    true,
    'no topic has this id: it was deleted, or this broker has not heard of it yet',
  ],
  [103, 'INCONSISTENT_TOPIC_ID', true, 'the topic has another id: it was deleted and made anew'],
];

const BY_CODE = new Map<number, KafkaErrorInfo>(
  TABLE.map(([code, name, retriable, message]) => [code, { code, name, retriable, message }]),
);

/** What an error code means; a code that is not in the table is not retriable and says its number. */
export function kafkaError(code: number): KafkaErrorInfo {
  return (
    BY_CODE.get(code) ?? {
      code,
      name: `ERROR_${code}`,
      retriable: false,
      message: 'an error code unknown to Skald',
    }
  );
}

/** The codes that decisions are made on, by the protocol's names. */
export const KafkaCode = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REPLICA_NOT_AVAILABLE: 9,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  INVALID_TIMESTAMP: 32,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  UNKNOWN_PRODUCER_ID: 59,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  UNSUPPORTED_COMPRESSION_TYPE: 76,
  MEMBER_ID_REQUIRED: 79,
  FENCED_INSTANCE_ID: 82,
  PRODUCER_FENCED: 90,
} as const;
