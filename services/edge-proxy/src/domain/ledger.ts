/** What the calls of this edge use of each trunk and link, against what the edge holds of it (lease.ts). */
import { type Amounts, KINDS, type Limits, NOTHING } from './lease.ts'

/** What one call wants of one resource. */
export interface Need {
  /** `trunk.itsp-a`, `site.hq` */
  readonly resource: string
  readonly calls: number
  /** kbit/s one way. */
  readonly kbps: number
}

/** Places that are taken; given back once, whatever ends the call. */
export interface Held {
  release(): void
  /** The codec is known now. */
  adjust(kbps: number): void
}

export type Verdict =
  | { readonly kind: 'admitted'; readonly held: Held }
  | { readonly kind: 'short'; readonly need: Need; readonly of: (typeof KINDS)[number] }

export interface Ledger {
  /** The limits in force; resources without any are forgotten, their calls go on uncounted. */
  limit(limits: ReadonlyMap<string, Limits>): void
  limits(resource: string): Limits | undefined
  resources(): Iterable<string>
  /** What this edge holds, `all`: it counts alone. */
  hold(resource: string, held: Amounts | 'all'): void
  held(resource: string): Amounts
  inUse(resource: string, nowMs: number): Amounts
  /** All of the needs or none. */
  admit(needs: readonly Need[], nowMs: number): Verdict
  /** Calls that exist already, as those of an edge that died. */
  adopt(needs: readonly Need[]): Held
}

interface Line {
  limits: Limits
  held: Amounts
  calls: number
  kbps: number
  /** When calls of the last window began, ms. */
  began: number[]
}

export function createLedger(): Ledger {
  const lines = new Map<string, Line>()

  const inUse = (line: Line, nowMs: number): Amounts => {
    const since = nowMs - line.limits.windowMs
    const old = line.began.findIndex((at) => at > since)
    if (old !== 0) line.began.splice(0, old < 0 ? line.began.length : old)
    return { calls: line.calls, rate: line.began.length, kbps: line.kbps }
  }
  const take = (needs: readonly Need[]): Held => {
    const taken = needs.flatMap((need) => {
      const line = lines.get(need.resource)
      return line === undefined ? [] : [{ line, calls: need.calls, kbps: Math.ceil(need.kbps) }]
    })
    for (const { line, calls, kbps } of taken) {
      line.calls += calls
      line.kbps += kbps
    }
    let over = false
    return {
      release() {
        if (over) return
        over = true
        for (const { line, calls, kbps } of taken) {
          line.calls -= calls
          line.kbps -= kbps
        }
      },
      adjust(kbps) {
        if (over) return
        for (const each of taken) {
          each.line.kbps += Math.ceil(kbps) - each.kbps
          each.kbps = Math.ceil(kbps)
        }
      },
    }
  }
  const lacks = (need: Need, nowMs: number): (typeof KINDS)[number] | undefined => {
    const line = lines.get(need.resource)
    if (line === undefined) return undefined
    const used = inUse(line, nowMs)
    const more: Amounts = { calls: need.calls, rate: need.calls, kbps: Math.ceil(need.kbps) }
    return KINDS.find((kind) => line.limits[kind] !== null && used[kind] + more[kind] > line.held[kind])
  }

  return {
    limit(limits) {
      for (const name of lines.keys()) if (!limits.has(name)) lines.delete(name)
      for (const [name, of] of limits) {
        const line = lines.get(name)
        if (line) line.limits = of
        else lines.set(name, { limits: of, held: NOTHING, calls: 0, kbps: 0, began: [] })
      }
    },
    limits: (resource) => lines.get(resource)?.limits,
    resources: () => lines.keys(),
    hold(resource, held) {
      const line = lines.get(resource)
      if (line) line.held = held === 'all' ? everything(line.limits) : held
    },
    held: (resource) => lines.get(resource)?.held ?? NOTHING,
    inUse(resource, nowMs) {
      const line = lines.get(resource)
      return line === undefined ? NOTHING : inUse(line, nowMs)
    },
    admit(needs, nowMs) {
      for (const need of needs) {
        const of = lacks(need, nowMs)
        if (of !== undefined) return { kind: 'short', need, of }
      }
      for (const { resource, calls } of needs) if (calls > 0) lines.get(resource)?.began.push(nowMs)
      return { kind: 'admitted', held: take(needs) }
    },
    adopt: take,
  }
}

const everything = ({ calls, rate, kbps }: Limits): Amounts => ({ calls: calls ?? 0, rate: rate ?? 0, kbps: kbps ?? 0 })
