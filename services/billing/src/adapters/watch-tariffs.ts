import { setTimeout as sleep } from 'node:timers/promises'
import type { Bus } from '@tandem/bus/bus.ts'
import { followRevisions } from '@tandem/config/follow.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { Database } from '@tandem/store/database.ts'
import type { Tariffs } from '../domain/tariffs.ts'
import { keepDecks } from './deck-store.ts'
import { type ReadTariffs, tariffsAside } from './tariffs-aside.ts'

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
  const { promise: first, resolve: haveFirst } = Promise.withResolvers<Tariffs>()
  let working = Promise.resolve()

  const take = async ({ tariffs, texts }: ReadTariffs): Promise<void> => {
    await untilDone(
      () => keepDecks(database, tariffs, texts),
      () => stopped,
      log,
    )
    current = tariffs
    log.info({ revision: tariffs.revision, decks: tariffs.tariffs.size }, 'rate decks in force')
    haveFirst(current)
  }

  const stopFollowing = followRevisions<ReadTariffs>(bus, {
    make: (bytes, urgent) => tariffsAside(bytes, current, urgent),
    use: (read) => {
      working = working.then(() => take(read)).catch((error: unknown) => log.error({ err: error }, 'tariffs'))
    },
    refused: (why) => log.error({ why }, 'configuration revision not taken over'),
    revision: () => current?.revision,
  })
  return {
    current: () => current,
    first,
    stop: async () => {
      stopped = true
      await stopFollowing()
      await working
    },
  }
}

/** The database may be away: try until it works. */
async function untilDone(work: () => Promise<void>, stopped: () => boolean, log: Logger): Promise<void> {
  for (let attempt = 0; !stopped(); attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt % 20 === 0) log.warn({ err: error }, 'rate decks not stored yet, trying again')
      await sleep(Math.min(2000, 100 * 2 ** attempt))
    }
  }
}
