import { SkaldError } from '../errors.ts';
import type { Coordinator } from './coordinator.ts';
import { kafkaError } from './error-codes.ts';
import { leaveGroupRequest, type MemberRef } from './requests/group.ts';

/**
 * Takes a member out of its group, so that the others get its partitions without waiting for the end of its session.
 * With an empty `memberId` it is whoever has the static id `groupInstanceId`, running or not (KIP-345).
 * @throws SkaldError; with `kafkaCode` UNKNOWN_MEMBER_ID when the group has no such member
 */
export async function leaveGroup(coordinator: Coordinator, member: MemberRef): Promise<void> {
  const { errorCode } = await coordinator.send(
    'control',
    leaveGroupRequest(member),
    (answer) => answer.errorCode,
  );
  if (errorCode === 0) return;
  const { name, message, retriable } = kafkaError(errorCode);
  const who = member.groupInstanceId ?? member.memberId;
  throw new SkaldError('KAFKA_REFUSED', `${who} leaves group ${member.groupId}: ${name}, ${message}.`, {
    retryable: retriable,
    where: { group: member.groupId, member: who, kafkaCode: errorCode },
  });
}
