/**
 * The group membership protocol: FindCoordinator v2, JoinGroup v5, SyncGroup v3, Heartbeat v3, LeaveGroup v3, the last
 * versions before flexible encodings; all carry the static member id of KIP-345.
 * Source: https://kafka.apache.org/protocol#protocol_api_keys
 */
import type { KafkaRequest } from '../protocol.ts';

export interface Coordinator {
  errorCode: number;
  errorMessage: string | undefined;
  nodeId: number;
  host: string;
  port: number;
}

export function findCoordinatorRequest(groupId: string): KafkaRequest<Coordinator> {
  return {
    apiKey: 10,
    apiName: 'FindCoordinator',
    apiVersion: 2,
    encode: (writer) => {
      writer.string(groupId).int8(0);
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      return {
        errorCode: reader.int16(),
        errorMessage: reader.nullableString(),
        nodeId: reader.int32(),
        host: reader.string(),
        port: reader.int32(),
      };
    },
  };
}

export interface MemberRef {
  groupId: string;
  memberId: string;
  groupInstanceId: string | undefined;
}

export interface JoinAnswer {
  errorCode: number;
  generationId: number;
  protocolName: string;
  leader: string;
  memberId: string;
  /** Filled for the leader only. */
  members: { memberId: string; groupInstanceId: string | undefined; metadata: Buffer }[];
}

export function joinGroupRequest(
  options: MemberRef & {
    sessionTimeoutMs: number;
    rebalanceTimeoutMs: number;
    protocolType: string;
    protocols: readonly { name: string; metadata: Uint8Array }[];
  },
): KafkaRequest<JoinAnswer> {
  return {
    apiKey: 11,
    apiName: 'JoinGroup',
    apiVersion: 5,
    holdMs: options.rebalanceTimeoutMs,
    encode: (writer) => {
      writer.string(options.groupId).int32(options.sessionTimeoutMs).int32(options.rebalanceTimeoutMs);
      writer.string(options.memberId).nullableString(options.groupInstanceId).string(options.protocolType);
      writer.array(options.protocols, ({ name, metadata }) => writer.string(name).bytes(metadata));
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      return {
        errorCode: reader.int16(),
        generationId: reader.int32(),
        protocolName: reader.string(),
        leader: reader.string(),
        memberId: reader.string(),
        members: reader.array(() => ({
          memberId: reader.string(),
          groupInstanceId: reader.nullableString(),
          metadata: reader.bytes(),
        })),
      };
    },
  };
}

export function syncGroupRequest(
  options: MemberRef & {
    generationId: number;
    /** From the leader; empty from everyone else. */
    assignments: readonly { memberId: string; assignment: Uint8Array }[];
    rebalanceTimeoutMs: number;
  },
): KafkaRequest<{ errorCode: number; assignment: Buffer }> {
  return {
    apiKey: 14,
    apiName: 'SyncGroup',
    apiVersion: 3,
    holdMs: options.rebalanceTimeoutMs,
    encode: (writer) => {
      writer.string(options.groupId).int32(options.generationId);
      writer.string(options.memberId).nullableString(options.groupInstanceId);
      writer.array(options.assignments, (a) => writer.string(a.memberId).bytes(a.assignment));
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      return { errorCode: reader.int16(), assignment: reader.bytes() };
    },
  };
}

export function heartbeatRequest(
  options: MemberRef & { generationId: number },
): KafkaRequest<{ errorCode: number }> {
  return {
    apiKey: 12,
    apiName: 'Heartbeat',
    apiVersion: 3,
    encode: (writer) => {
      writer.string(options.groupId).int32(options.generationId);
      writer.string(options.memberId).nullableString(options.groupInstanceId);
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      return { errorCode: reader.int16() };
    },
  };
}

/** For one member; its own error code counts as the answer's. */
export function leaveGroupRequest(options: MemberRef): KafkaRequest<{ errorCode: number }> {
  return {
    apiKey: 13,
    apiName: 'LeaveGroup',
    apiVersion: 3,
    encode: (writer) => {
      writer.string(options.groupId);
      writer.array([options], (m) => writer.string(m.memberId).nullableString(m.groupInstanceId));
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      const errorCode = reader.int16();
      const members = reader.array(() => {
        reader.string();
        reader.nullableString();
        return reader.int16();
      });
      return { errorCode: errorCode || (members.find((code) => code !== 0) ?? 0) };
    },
  };
}
