/** Kafka's requests nest partitions under topics; our own lists are flat. Keeps the order of first appearance. */
export function byTopic<T extends { topic: string }>(items: readonly T[]): [topic: string, items: T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.topic);
    if (group === undefined) groups.set(item.topic, [item]);
    else group.push(item);
  }
  return [...groups];
}
