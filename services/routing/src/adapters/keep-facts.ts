/**
 * Number portability and caller names, read from a file or over HTTP outside of the call path and kept in memory: no call
 * ever waits for a source, and one that is away leaves what was read last (ADR 81).
 */
import { readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Configuration } from '@tandem/config/defaults.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { type NumberFacts, type Ported, type ReadFacts, readNames, readPorted } from '../domain/number-facts.ts'

type Source = { readonly source: string; readonly refreshMs: number }

const mostBytes = 512 * 1024 * 1024
const fetchMs = 60_000
/** After a failure it is tried again sooner than `refresh`, ms. */
const againMs = 30_000

export type KeptFacts = {
  /** Takes over where the facts come from; what was read of the same source stays. */
  configured(facts: Configuration['numberFacts']): void
  readonly facts: NumberFacts
  stop(): void
}

export function keepFacts(log: Logger): KeptFacts {
  const ported = keepOne<Ported>('portability', readPorted, log)
  const names = keepOne<string>('callerNames', readNames, log)
  return {
    configured({ portability, callerNames }) {
      ported.from(portability)
      names.from(callerNames)
    },
    facts: { ported: (number) => ported.get(number), nameOf: (number) => names.get(number) },
    stop() {
      ported.from(null)
      names.from(null)
    },
  }
}

function keepOne<T>(what: string, read: (csv: string) => ReadFacts<T>, log: Logger) {
  let facts: ReadonlyMap<string, T> = new Map()
  let current: Source | null = null
  let timer: NodeJS.Timeout | undefined
  const load = async (source: Source): Promise<void> => {
    let next = source.refreshMs
    try {
      const { facts: found, wrong } = read(await textOf(source.source))
      if (current !== source) return
      facts = found
      log.info({ what, numbers: found.size, wrong }, 'facts of numbers read')
    } catch (error) {
      next = Math.min(next, againMs)
      if (current === source)
        log.warn({ err: error, what, source: source.source }, 'facts of numbers not read: the last ones stay')
    }
    if (current === source) timer = setTimeout(() => void load(source), next).unref()
  }
  return {
    get: (number: string) => facts.get(number),
    from(source: Source | null): void {
      if (JSON.stringify(source) === JSON.stringify(current)) return
      clearTimeout(timer)
      if (source?.source !== current?.source) facts = new Map()
      current = source
      if (source !== null) void load(source)
    },
  }
}

async function textOf(source: string): Promise<string> {
  if (/^https?:/.test(source)) {
    const response = await fetch(source, { signal: AbortSignal.timeout(fetchMs), headers: { accept: 'text/csv' } })
    if (!response.ok) throw new Error(`${source} answers ${response.status}`)
    if (Number(response.headers.get('content-length') ?? 0) > mostBytes) throw new Error(`${source} is too large`)
    const bytes = await response.arrayBuffer()
    if (bytes.byteLength > mostBytes) throw new Error(`${source} is too large`)
    return new TextDecoder().decode(bytes)
  }
  const file = source.startsWith('file:') ? fileURLToPath(source) : source
  if ((await stat(file)).size > mostBytes) throw new Error(`${file} is too large`)
  return await readFile(file, 'utf8')
}
