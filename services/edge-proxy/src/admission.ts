/** Who may go out on a trunk or over a site's link: places of this edge, lent by the cluster (edge.md E8, routing.md R9). */
import { LeaseKeeper } from './adapters/lease-keeper.ts'
import { type Admission, type Admitted, FREE, limitsOf, sayFull, type TrunkLimits } from './domain/call-admission.ts'
import { createLedger, type Held, type Need } from './domain/ledger.ts'
import type { Edge } from './edge.ts'

/** `more`: other edges may have places for it. */
type Short = { readonly kind: 'short'; readonly need: Need; readonly more: boolean; readonly why: string }

export function createAdmission(edge: Pick<Edge, 'node' | 'bus' | 'log' | 'clock' | 'config'>): TrunkLimits {
  const ledger = createLedger()
  const keeper = new LeaseKeeper({ ...edge, ledger })
  let limited: ReturnType<typeof edge.config> | undefined

  /** Compiled once for a configuration. */
  const refresh = (): void => {
    const config = edge.config()
    if (config === limited) return
    limited = config
    ledger.limit(limitsOf(config))
    keeper.changed()
  }
  const told = (held: Held, needs: readonly Need[]): Admitted => {
    const resources = needs.map((need) => need.resource)
    keeper.changed(resources)
    return {
      kind: 'admitted',
      held: {
        adjust: held.adjust,
        release() {
          held.release()
          keeper.changed(resources)
        },
      },
    }
  }
  const decide = (needs: readonly Need[]): Admission | Short => {
    const verdict = ledger.admit(needs, edge.clock.now())
    if (verdict.kind === 'admitted') return told(verdict.held, needs)
    const { need, of } = verdict
    const limits = ledger.limits(need.resource)
    if (limits === undefined) return FREE
    const more = keeper.shared && ledger.held(need.resource)[of] < (limits[of] ?? 0)
    return { kind: 'short', need, more, why: sayFull(need.resource, of, limits) }
  }
  const settle = async (first: Short, needs: readonly Need[]): Promise<Admission> => {
    let short = first
    // a call has few needs, and each may go short once
    for (let i = 0; i < needs.length; i++) {
      if (!short.more) break
      await keeper.more(short.need)
      const verdict = decide(needs)
      if (verdict.kind !== 'short') return verdict
      short = verdict
    }
    return { kind: 'refused', why: short.why }
  }
  refresh()

  return {
    admit(needs, emergency) {
      if (emergency) return FREE
      refresh()
      const verdict = decide(needs)
      if (verdict.kind !== 'short') return verdict
      return verdict.more ? settle(verdict, needs) : { kind: 'refused', why: verdict.why }
    },
    adopt(needs, from) {
      refresh()
      keeper.bury(from)
      return told(ledger.adopt(needs), needs).held
    },
    close: () => keeper.close(),
  }
}
