/**
 * Minimum-cost maximum flow by the primal-dual method: shortest paths by reduced costs give potentials, then
 * a blocking flow fills every path of that cost at once. The rounds are as many as there are distinct path
 * costs, few for us.
 * Source: Ahuja, Magnanti, Orlin, "Network Flows", section 9.8.
 */
export interface FlowNetwork {
  /**
   * Returns the number of the edge, for `flowOf`. Costs are whole numbers, not negative; so are capacities.
   */
  addEdge(from: number, to: number, capacity: number, cost: number): number;
  /** Sends as much as possible from source to sink at the least cost; returns how much. */
  solve(source: number, sink: number): number;
  flowOf(edge: number): number;
}

/** A network of `nodes` nodes, numbered from 0, without edges. */
export function createFlowNetwork(nodes: number): FlowNetwork {
  // Edge 2k and its reverse 2k+1 are neighbours, so `edge ^ 1` is the other direction.
  const target: number[] = [];
  const residual: number[] = [];
  const cost: number[] = [];
  const edgesOf: number[][] = Array.from({ length: nodes }, () => []);
  const potential = new Float64Array(nodes);
  const level = new Int32Array(nodes);
  const nextEdge = new Int32Array(nodes);

  const addHalf = (from: number, to: number, capacity: number, price: number): void => {
    edgesOf[from]!.push(target.length);
    target.push(to);
    residual.push(capacity);
    cost.push(price);
  };

  const reducedCost = (from: number, edge: number): number =>
    cost[edge]! + potential[from]! - potential[target[edge]!]!;

  /** Dijkstra over reduced costs, which are never negative; false when the sink is out of reach. */
  const updatePotentials = (source: number, sink: number): boolean => {
    const distance = new Float64Array(nodes).fill(Infinity);
    const heap = createHeap();
    distance[source] = 0;
    heap.push(0, source);
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const { key, node } = top;
      if (key > distance[node]!) continue;
      for (const edge of edgesOf[node]!) {
        if (residual[edge] === 0) continue;
        const reached = key + reducedCost(node, edge);
        if (reached < distance[target[edge]!]!) {
          distance[target[edge]!] = reached;
          heap.push(reached, target[edge]!);
        }
      }
    }
    const limit = distance[sink]!;
    if (limit === Infinity) return false;
    // Capping at the sink's distance keeps all reduced costs non-negative, also for nodes out of reach.
    for (let node = 0; node < nodes; node += 1) potential[node]! += Math.min(distance[node]!, limit);
    return true;
  };

  /**
   * Levels by breadth over edges of reduced cost zero; a path that goes up one level per edge cannot run in a
   * circle.
   */
  const layer = (source: number, sink: number): boolean => {
    level.fill(-1);
    nextEdge.fill(0);
    level[source] = 0;
    const queue = [source];
    for (let i = 0; i < queue.length; i += 1) {
      const node = queue[i]!;
      for (const edge of edgesOf[node]!) {
        const to = target[edge]!;
        if (residual[edge] === 0 || level[to] !== -1 || reducedCost(node, edge) !== 0) continue;
        level[to] = level[node]! + 1;
        queue.push(to);
      }
    }
    return level[sink] !== -1;
  };

  const push = (node: number, sink: number, wanted: number): number => {
    if (node === sink) return wanted;
    let sent = 0;
    const edges = edgesOf[node]!;
    for (; nextEdge[node]! < edges.length; nextEdge[node]! += 1) {
      const edge = edges[nextEdge[node]!]!;
      const to = target[edge]!;
      if (residual[edge] === 0 || level[to] !== level[node]! + 1 || reducedCost(node, edge) !== 0) continue;
      const passed = push(to, sink, Math.min(wanted - sent, residual[edge]!));
      residual[edge]! -= passed;
      residual[edge ^ 1]! += passed;
      sent += passed;
      // The edge may have room left, so it stays the next one to try.
      if (sent === wanted) return sent;
    }
    return sent;
  };

  return {
    addEdge: (from, to, capacity, price) => {
      const edge = target.length;
      addHalf(from, to, capacity, price);
      addHalf(to, from, 0, -price);
      return edge;
    },
    solve: (source, sink) => {
      let total = 0;
      while (updatePotentials(source, sink)) {
        while (layer(source, sink)) total += push(source, sink, Infinity);
      }
      return total;
    },
    flowOf: (edge) => residual[edge ^ 1]!,
  };
}

/** A binary heap of nodes by key, smallest first. */
function createHeap() {
  const keys: number[] = [];
  const values: number[] = [];

  const swap = (a: number, b: number): void => {
    [keys[a], keys[b]] = [keys[b]!, keys[a]!];
    [values[a], values[b]] = [values[b]!, values[a]!];
  };

  return {
    push: (key: number, node: number): void => {
      let at = keys.push(key) - 1;
      values.push(node);
      for (let parent = (at - 1) >> 1; at > 0 && keys[parent]! > keys[at]!; parent = (at - 1) >> 1) {
        swap(at, parent);
        at = parent;
      }
    },
    pop: (): { key: number; node: number } | undefined => {
      if (keys.length === 0) return undefined;
      swap(0, keys.length - 1);
      const key = keys.pop()!;
      const node = values.pop()!;
      for (let at = 0; ;) {
        const left = 2 * at + 1;
        const right = left + 1;
        let least = at;
        if (left < keys.length && keys[left]! < keys[least]!) least = left;
        if (right < keys.length && keys[right]! < keys[least]!) least = right;
        if (least === at) return { key, node };
        swap(at, least);
        at = least;
      }
    },
  };
}
