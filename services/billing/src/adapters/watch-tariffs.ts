import { setTimeout as sleep } from 'node:timers/promises'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { followRevisions, type Made } from '@tandem/config/follow.ts'
import { readRevisionAside } from '@tandem/config/read-aside.ts'
import type { Revision } from '@tandem/config/revision.ts'
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

interface Readable {
  readonly configuration: Configuration
  readonly revision: Revision
  readonly tariffs: Tariffs
}

/** Follows the configuration. A revision whose decks cannot be read never replaces the one in force. */
export function watchTariffs(bus: Bus, database: Pick<Database, 'pool'>, log: Logger): TariffsWatch {
  let current: Tariffs | undefined
  let stopped = false
  const { promise: first, resolve: haveFirst } = Promise.withResolvers<Tariffs>()
  let working = Promise.resolve()

  const take = async ({ configuration, revision, tariffs }: Readable): Promise<void> => {
    const textOf = (name: string) => {
      const deck = configuration.rateDecks[name]
      return deck?.kind === 'per-minute' ? revision.decks[deck.file] : undefined
    }
    await untilDone(
      () => keepDecks(database, tariffs, textOf),
      () => stopped,
      log,
    )
    current = tariffs
    log.info({ revision: revision.revision, decks: tariffs.tariffs.size }, 'rate decks in force')
    haveFirst(current)
  }

  const stopFollowing = followRevisions<Readable>(bus, {
    make: (bytes, urgent) => make(bytes, current, urgent),
    use: (readable) => {
      working = working.then(() => take(readable)).catch((error: unknown) => log.error({ err: error }, 'tariffs'))
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

async function make(bytes: Uint8Array, before: Tariffs | undefined, urgent: boolean): Promise<Made<Readable>> {
  const read = await readRevisionAside(bytes, { decks: true, urgent })
  if (read.kind === 'bad') return { kind: 'bad', why: read.message }
  const { configuration, revision } = read
  const reading = readTariffs(configuration, revision.revision, revision.decks, before)
  if (reading.kind === 'tariffs') return { kind: 'made', value: { configuration, revision, tariffs: reading.tariffs } }
  return { kind: 'bad', why: `rate decks cannot be read: ${reading.problems.slice(0, 5).join('; ')}` }
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
