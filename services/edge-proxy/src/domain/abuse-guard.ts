/**
 * What is held against a source address (edge.md E8): a token bucket for the answers that strangers get, strikes for
 * what only an attacker does often, bans that grow. Pure: time comes in; bounded: the source that was longest away is
 * forgotten. Who is spared (trunks, registered flows) is decided by the gate (abuse-gate.ts).
 */

/** Answers per second and at once: a household of phones that starts again fits in. */
export const STRANGER = { perSecond: 20, burst: 100 }
/** A site may sit behind one address. */
export const SITE = { perSecond: 200, burst: 2_000 }
/** That many strikes at once are a ban; one is forgiven every 30 s, so that a phone with an old password is none. */
export const STRIKES = 10
const FORGIVE_MS = 30_000
const FIRST_BAN_MS = 60_000
const LONGEST_BAN_MS = 86_400_000
/** A ban is forgotten so long after its end, ms. */
const MEMORY_MS = 86_400_000
/** Security facts of one source, ms. */
const TELL_MS = 60_000
const MAX_SOURCES = 65_536

interface Source {
  tokens: number
  filledMs: number
  strikes: number
  struckMs: number
  bans: number
  bannedUntilMs: number
  toldMs: number
  untold: number
}

export interface AbuseGuard {
  /** Takes a token; false when there is none: no answer. */
  admits(address: string, rate: typeof STRANGER, now: number): boolean
  banned(address: string, now: number): boolean
  /** ms of the ban that this strike brought, else undefined. `STRIKES` at once bring one for certain. */
  strike(address: string, weight: number, now: number): number | undefined
  /** How many facts were held back since the last one, or undefined: not now (once a minute). */
  tells(address: string, now: number): number | undefined
  readonly size: number
}

export function createAbuseGuard(maxSources = MAX_SOURCES): AbuseGuard {
  const sources = new Map<string, Source>()

  const at = (address: string, now: number): Source => {
    const key = sourceKey(address)
    const source = sources.get(key) ?? fresh(now)
    // the map keeps its order: the first is the one that was longest away
    sources.delete(key)
    if (sources.size >= maxSources) for (const oldest of sources.keys()) if (sources.delete(oldest)) break
    sources.set(key, source)
    return source
  }

  return {
    admits(address, rate, now) {
      const source = at(address, now)
      const gained = ((now - source.filledMs) / 1000) * rate.perSecond
      source.tokens = Math.min(rate.burst, source.tokens + gained)
      source.filledMs = now
      if (source.tokens < 1) return false
      source.tokens--
      return true
    },
    banned: (address, now) => sources.size > 0 && (sources.get(sourceKey(address))?.bannedUntilMs ?? 0) > now,
    strike(address, weight, now) {
      const source = at(address, now)
      source.strikes = Math.max(0, source.strikes - (now - source.struckMs) / FORGIVE_MS) + weight
      source.struckMs = now
      // one is forgiven while the tenth is on its way
      if (source.strikes < STRIKES - 1 || source.bannedUntilMs > now) return undefined
      if (source.bans > 0 && now - source.bannedUntilMs > MEMORY_MS) source.bans = 0
      const ms = Math.min(FIRST_BAN_MS * 4 ** source.bans, LONGEST_BAN_MS)
      source.bans++
      source.strikes = 0
      source.bannedUntilMs = now + ms
      return ms
    },
    tells(address, now) {
      const source = at(address, now)
      if (now - source.toldMs < TELL_MS) {
        source.untold++
        return undefined
      }
      const { untold } = source
      source.toldMs = now
      source.untold = 0
      return untold
    },
    get size() {
      return sources.size
    },
  }
}

function fresh(now: number): Source {
  return {
    tokens: Number.POSITIVE_INFINITY,
    filledMs: now,
    strikes: 0,
    struckMs: now,
    bans: 0,
    bannedUntilMs: 0,
    toldMs: Number.NEGATIVE_INFINITY,
    untold: 0,
  }
}

/** One host of IPv6 has a /64 of addresses: they are one source. */
function sourceKey(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length)
  return [...front, ...Array<string>(gap).fill('0'), ...back].slice(0, 4).join(':')
}

const SCANNERS =
  /friendly-(?:scanner|request)|sipvicious|sundayddr|sip-?scan|sipcli|siparmyknife|iwar|smap|pplsip|vaxa?sip/i

/** User-Agents of tools that only look for holes. */
export function isScanner(userAgent: string | undefined): boolean {
  return userAgent !== undefined && SCANNERS.test(userAgent)
}
