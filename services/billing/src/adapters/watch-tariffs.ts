import { setTimeout as sleep } from 'node:timers/promises'
import type { Bus } from '@tandem/bus/bus.ts'
import { CONFIG_BUCKET, CONFIG_KEY, readRevision } from '@tandem/config/revision.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { Database } from '@tandem/store/database.ts'
import { readTariffs, type Tariffs } from '../domain/tariffs.ts'
import { keepDecks } from './deck-store.ts'

export interface TariffsWatch {
  current(): Tariffs | undefined
  /** Resolves with the first tariffs there are. */
  first: Promise<Tariffs>
  stop(): Promise<void>
}

/** Follows the configuration. A revision whose decks cannot be read never replaces the one in force. */
export function watchTariffs(bus: Bus, database: Pick<Database, 'pool'>, log: Logger): TariffsWatch {
  let current: Tariffs | undefined
  let stopped = false
  let stopWatch: (() => Promise<void>) | undefined
  const { promise: first, resolve: haveFirst } = Promise.withResolvers<Tariffs>()
  let working = Promise.resolve()

  const take = async (bytes: Uint8Array): Promise<void> => {
    const read = readRevision(bytes)
    if (read.kind === 'bad') {
      log.error({ why: read.message }, 'configuration revision not taken over')
      return
    }
    const { configuration, revision } = read
    const reading = readTariffs(configuration, revision.revision, revision.decks, current)
    if (reading.kind === 'bad') {
      log.error({ revision: revision.revision, problems: reading.problems.slice(0, 20) }, 'rate decks not taken over')
      return
    }
    const textOf = (name: string) => {
      const deck = configuration.rateDecks[name]
      return deck?.kind === 'per-minute' ? revision.decks[deck.file] : undefined
    }
    await untilDone(
      () => keepDecks(database, reading.tariffs, textOf),
      () => stopped,
      log,
    )
    current = reading.tariffs
    log.info({ revision: revision.revision, decks: reading.tariffs.tariffs.size }, 'rate decks in force')
    haveFirst(current)
  }

  const watching = untilDone(
    async () => {
      const bucket = await bus.bucket(CONFIG_BUCKET)
      if (stopped) return
      stopWatch = bucket.watch(CONFIG_KEY, (entry) => {
        if (entry === undefined) return
        working = working.then(() => take(entry.value)).catch((error: unknown) => log.error({ err: error }, 'tariffs'))
      })
    },
    () => stopped,
    log,
  )
  return {
    current: () => current,
    first,
    stop: async () => {
      stopped = true
      await watching
      await stopWatch?.()
      await working
    },
  }
}

/** The console makes the bucket, and the database may be away: try until it works. */
async function untilDone(work: () => Promise<void>, stopped: () => boolean, log: Logger): Promise<void> {
  for (let attempt = 0; !stopped(); attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt % 20 === 0) log.warn({ err: error }, 'configuration not reached yet, trying again')
      await sleep(Math.min(2000, 100 * 2 ** attempt))
    }
  }
}
