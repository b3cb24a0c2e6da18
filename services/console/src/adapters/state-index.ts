/** The last word on every trunk and every registration. */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import {
  type Binding,
  type JudgedTrunk,
  RegistrationBound,
  RegistrationRemoved,
  TrunkChanged,
  TrunkJudged,
  type TrunkState,
} from '@tandem/contracts/registration.ts'
import { trunkView } from '../domain/trunk-view.ts'

const dayMs = 86_400_000

export interface StateIndex {
  /** Of trunks that are judged by quality. */
  readonly quality: Map<string, JudgedTrunk>
  /** What all edges together say of a trunk. */
  trunk(name: string): TrunkState | undefined
  readonly bindings: Map<string, Binding>
  close(): Promise<void>
}

export function startStateIndex(bus: Bus): StateIndex {
  const quality = new Map<string, JudgedTrunk>()
  const trunks = new Map<string, Map<string, TrunkState>>()
  const bindings = new Map<string, Binding>()
  const sweep = setInterval(() => {
    const now = new Date().toISOString()
    for (const [id, b] of bindings) if (b.expiresAt < now) bindings.delete(id)
  }, 5000)
  // the two facts come by ways of their own: the later `at` wins
  const removedAt = new Map<string, string>()
  const stops: Stop[] = [
    bus.replay(TrunkJudged, { sinceMs: dayMs }, ({ trunk, at: _, ...judged }) => quality.set(trunk, judged)),
    bus.replay(TrunkChanged, { sinceMs: dayMs }, (t) => {
      const edges = trunks.get(t.trunk) ?? new Map<string, TrunkState>()
      edges.set(t.edge, t)
      trunks.set(t.trunk, edges)
    }),
    bus.follow(RegistrationBound, { sinceMs: dayMs }, (b) => {
      if ((removedAt.get(b.bindingId) ?? '') < b.at && b.expiresAt > new Date().toISOString())
        bindings.set(b.bindingId, b)
    }),
    bus.follow(RegistrationRemoved, { sinceMs: dayMs }, (b) => {
      removedAt.set(b.bindingId, b.at)
      if (removedAt.size > 100_000) removedAt.delete(removedAt.keys().next().value as string)
      const known = bindings.get(b.bindingId)
      if (known && known.at <= b.at) bindings.delete(b.bindingId)
    }),
  ]
  return {
    quality,
    trunk: (name) => trunkView(trunks.get(name)?.values() ?? [], Date.now()),
    bindings,
    close: async () => {
      clearInterval(sweep)
      await Promise.all(stops.map((s) => s()))
    },
  }
}
