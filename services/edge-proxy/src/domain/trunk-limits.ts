/** How many calls a trunk may carry at once and how many new ones a second (edge.md E8); counted in this node. */

export interface TrunkLimit {
  /** null: no limit. */
  readonly calls: number | null
  readonly callsPerSecond: number | null
}

export type Admission = 'admitted' | 'full' | 'too-fast'

export interface TrunkLimits {
  /** Counts the call when it is admitted; an emergency call always is (location.md L3). `nowMs` is monotonic. */
  admit(trunk: string, limit: TrunkLimit, emergency: boolean, nowMs: number): Admission
  release(trunk: string): void
  calls(trunk: string): number
}

interface Load {
  calls: number
  /** Token bucket of one second's worth. */
  tokens: number
  filledMs: number
}

export function trunkLimits(): TrunkLimits {
  const loads = new Map<string, Load>()
  return {
    admit(trunk, limit, emergency, nowMs) {
      let load = loads.get(trunk)
      if (load === undefined) {
        load = { calls: 0, tokens: Math.max(1, limit.callsPerSecond ?? 0), filledMs: nowMs }
        loads.set(trunk, load)
      }
      if (!emergency) {
        if (limit.calls !== null && load.calls >= limit.calls) return 'full'
        if (limit.callsPerSecond !== null && !takeToken(load, limit.callsPerSecond, nowMs)) return 'too-fast'
      }
      load.calls++
      return 'admitted'
    },
    release(trunk) {
      const load = loads.get(trunk)
      if (load !== undefined && load.calls > 0) load.calls--
    },
    calls: (trunk) => loads.get(trunk)?.calls ?? 0,
  }
}

function takeToken(load: Load, perSecond: number, nowMs: number): boolean {
  // a rate below one a second still has a whole call to give
  const size = Math.max(1, perSecond)
  load.tokens = Math.min(size, load.tokens + ((nowMs - load.filledMs) / 1000) * perSecond)
  load.filledMs = nowMs
  if (load.tokens < 1) return false
  load.tokens--
  return true
}
