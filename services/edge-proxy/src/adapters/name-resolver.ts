/**
 * DNS for next hops (RFC 3263): node:dns behind a bounded cache. What was known goes on being used while DNS does not
 * answer: calls that worked before work on.
 */
import { lookup, Resolver } from 'node:dns/promises'
import type { Names, NaptrRecord, SrvRecord } from '../domain/next-hop.ts'
import type { Clock } from '../edge.ts'

/** One question to the servers, ms. */
const QUESTION_MS = 400
/** NAPTR, SRV and "no such record" come without their TTL, ms. */
const NO_TTL_MS = 30_000
const LONGEST_MS = 3_600_000
/** DNS that did not answer is asked again after that, ms; what is known is given at once meanwhile. */
const AWAY_MS = 5_000
/** Known answers are used that long after their end, ms. */
const STALE_MS = 86_400_000
const MAX_ANSWERS = 10_000

/** Answers of DNS which say that there is no such record; anything else is silence. */
const NOTHING = new Set(['ENOTFOUND', 'ENODATA'])

interface Answer<T> {
  readonly records: readonly T[]
  readonly untilMs: number
}

interface Entry {
  answer: Answer<unknown> | undefined
  running: Promise<readonly unknown[]> | undefined
}

export interface NameResolver extends Names {
  addresses(name: string, family: 4 | 6): Promise<readonly string[]>
  /** `address[:port]`; empty: the servers of the machine. */
  use(servers: readonly string[]): void
  close(): void
}

export function createNameResolver(clock: Pick<Clock, 'now'>): NameResolver {
  const entries = new Map<string, Entry>()
  let resolver = new Resolver({ timeout: QUESTION_MS, tries: 1 })
  let own: readonly string[] = []
  let awayUntilMs = 0

  const ask = async <T>(
    key: string,
    question: () => Promise<{ records: T[]; ttlMs: number }>,
  ): Promise<readonly T[]> => {
    const entry = entries.get(key) ?? { answer: undefined, running: undefined }
    if (!entries.has(key)) {
      if (entries.size >= MAX_ANSWERS) for (const oldest of entries.keys()) if (entries.delete(oldest)) break
      entries.set(key, entry)
    }
    const now = clock.now()
    const known = entry.answer as Answer<T> | undefined
    if (known && known.untilMs > now) return known.records
    const usable = known !== undefined && known.untilMs + STALE_MS > now
    if (usable && awayUntilMs > now) return known.records
    entry.running ??= within(question(), QUESTION_MS)
      .then(({ records, ttlMs }) => {
        entry.answer = { records, untilMs: clock.now() + Math.min(ttlMs, LONGEST_MS) }
        awayUntilMs = 0
        return records
      })
      .catch((error: NodeJS.ErrnoException) => {
        awayUntilMs = clock.now() + AWAY_MS
        if (usable) return known.records
        throw error
      })
      .finally(() => {
        entry.running = undefined
      })
    return (await entry.running) as readonly T[]
  }

  const records = async <T>(question: Promise<T[]>): Promise<{ records: T[]; ttlMs: number }> => ({
    records: await question.catch(nothing<T>),
    ttlMs: NO_TTL_MS,
  })

  const byAddress = async (name: string, family: 4 | 6): Promise<{ records: string[]; ttlMs: number }> => {
    const options = { ttl: true } as const
    const found = await (family === 4 ? resolver.resolve4(name, options) : resolver.resolve6(name, options)).catch(
      nothing<{ address: string; ttl: number }>,
    )
    if (found.length > 0) {
      return { records: found.map((f) => f.address), ttlMs: Math.min(...found.map((f) => f.ttl)) * 1000 }
    }
    if (own.length > 0) return { records: [], ttlMs: NO_TTL_MS }
    // names that only the machine knows: its hosts file
    const local = await lookup(name, { all: true, family }).catch(nothing<{ address: string }>)
    return { records: local.map((l) => l.address), ttlMs: NO_TTL_MS }
  }

  return {
    naptr: (name) => ask<NaptrRecord>(`NAPTR ${name}`, () => records(resolver.resolveNaptr(name))),
    srv: (name) => ask<SrvRecord>(`SRV ${name}`, () => records(resolver.resolveSrv(name))),
    addresses: (name, family) => ask(`A${family} ${name}`, () => byAddress(name, family)),
    use(servers) {
      if (servers.join() === own.join()) return
      own = servers
      resolver.cancel()
      resolver = new Resolver({ timeout: QUESTION_MS, tries: 1 })
      if (servers.length > 0) resolver.setServers(servers)
      entries.clear()
    },
    close: () => resolver.cancel(),
  }
}

function nothing<T>(error: NodeJS.ErrnoException): T[] {
  if (NOTHING.has(error.code ?? '')) return []
  throw error
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error('no answer from DNS')), ms)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}
