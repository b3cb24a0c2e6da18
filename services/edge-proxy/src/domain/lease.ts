/**
 * Who holds how much of a trunk or of a link (edge.md E8), as all edges of the cluster agree on it: one record a
 * resource, changed only by compare-and-set. An edge holds a block of places and admits from it by itself; what it holds
 * is free again when it says so, or when it has been silent for too long. Pure.
 *
 *   holder: absent --claim--> holding --claim more or less--> holding --claim nothing, or silence--> absent
 */

/** `rate`: new calls in a window (`Limits.windowMs`); `kbps`: one way on the wire. */
export interface Amounts {
  readonly calls: number
  readonly rate: number
  readonly kbps: number
}

/** null: no limit, nothing is held of it. */
export interface Limits {
  readonly calls: number | null
  readonly rate: number | null
  readonly kbps: number | null
  readonly windowMs: number
}

export interface Holder extends Amounts {
  /** It needs more than it got: others keep no more than they use. */
  readonly wants: boolean
}

export type LeaseRecord = Readonly<Record<string, Holder>>

export const KINDS = ['calls', 'rate', 'kbps'] as const
export const NOTHING: Amounts = { calls: 0, rate: 0, kbps: 0 }

export interface Claim {
  /** Calls that exist: they are held, come what may. */
  readonly inUse: Amounts
  /** Those and the calls that wait to be admitted. */
  readonly need: Amounts
  /** With a stock for the next ones. */
  readonly want: Amounts
}

/**
 * What an edge holds after its claim: never less than it uses, never more than is left. So the sum of all holders stays
 * within the limit, except for calls that outlived the lease of their own edge (it was cut off, or they were adopted).
 */
export function claim(
  record: LeaseRecord,
  owner: string,
  claimed: Claim,
  limits: Limits,
  gone: (owner: string) => boolean,
): LeaseRecord {
  const others = Object.entries(record).filter(([name]) => name !== owner && !gone(name))
  const held = { ...NOTHING }
  let wants = false
  for (const kind of KINDS) {
    const limit = limits[kind]
    if (limit === null) continue
    const free = Math.max(0, limit - others.reduce((sum, [, holder]) => sum + holder[kind], 0))
    held[kind] = Math.max(claimed.inUse[kind], Math.min(claimed.want[kind], free))
    if (held[kind] < claimed.need[kind]) wants = true
  }
  const mine: Holder = { ...held, wants }
  const empty = !wants && KINDS.every((kind) => held[kind] === 0)
  return Object.fromEntries(empty ? others : [...others, [owner, mine]])
}

export function release(record: LeaseRecord, owner: string): LeaseRecord {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== owner))
}

/**
 * How much an edge would like to hold: all of it while it is alone, else a stock that leaves half to the others; none
 * beyond its need while another one goes short. What it holds is left alone while it is about right: no write per call.
 */
export function wanted(
  record: LeaseRecord,
  owner: string,
  { inUse, need }: Pick<Claim, 'inUse' | 'need'>,
  limits: Limits,
  edges: number,
): Amounts {
  const contended = Object.entries(record).some(([name, holder]) => name !== owner && holder.wants)
  const held = record[owner] ?? NOTHING
  const want = { ...NOTHING }
  for (const kind of KINDS) {
    const limit = limits[kind]
    if (limit === null) continue
    const stock = edges < 2 ? limit : Math.ceil(limit / (2 * edges))
    const enough = held[kind] >= need[kind] + stock / 4 && held[kind] <= inUse[kind] + 2 * stock
    if (contended) want[kind] = need[kind]
    else want[kind] = enough && edges > 1 ? held[kind] : Math.min(limit, need[kind] + stock)
  }
  return want
}

export function sameRecord(a: LeaseRecord, b: LeaseRecord): boolean {
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => {
    const [one, other] = [a[name], b[name]]
    return one && other && one.wants === other.wants && KINDS.every((kind) => one[kind] === other[kind])
  })
}

/** `20` a second → 20 in 1000 ms; `0.5` → 1 in 2000 ms. */
export function rateLimit(perSecond: number | null): { rate: number | null; windowMs: number } {
  if (perSecond === null) return { rate: null, windowMs: 1000 }
  const rate = Math.max(1, Math.floor(perSecond))
  return { rate, windowMs: (rate / perSecond) * 1000 }
}
