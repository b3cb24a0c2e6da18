/** Calls on each trunk, as every edge last told of its own. */
export function carriedCalls() {
  const byTrunk = new Map<string, Map<string, number>>()
  return {
    set(trunk: string, edge: string, calls: number): void {
      const edges = byTrunk.get(trunk) ?? new Map<string, number>()
      edges.set(edge, calls)
      byTrunk.set(trunk, edges)
    },
    /** Sums over the edges. */
    all(): Map<string, number> {
      const sums = [...byTrunk].map(([trunk, edges]) => {
        const sum = [...edges.values()].reduce((total, calls) => total + calls, 0)
        return [trunk, sum] as const
      })
      return new Map(sums)
    },
  }
}
