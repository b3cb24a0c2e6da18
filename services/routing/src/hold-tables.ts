/** The tables of the revisions that are in force, were until a moment ago, or are prepared; and who waits for one. */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { followRevisions } from '@tandem/config/follow.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { Compile } from './adapters/compile-once.ts'
import { type HeldTables, noTables, putInForce, tableFor } from './domain/held-tables.ts'
import type { RoutingTable } from './domain/table.ts'
import type { ReadTable } from './read-table.ts'

type Readable = Extract<ReadTable, { kind: 'table' }>

/** An edge that has not taken over the next revision by then asks by it all the same, ms. */
const keepBeforeMs = 30_000
/** A question by a revision that is not here yet waits that long for it, ms: well within the asker's own patience. */
const aheadMs = 250

export type Tables = {
  /** The one in force. */
  current(): RoutingTable | undefined
  /** The one by which this asker works; at once. */
  nearest(revision: number | undefined): RoutingTable
  /** The same, but one that is on its way here is waited for. */
  awaited(revision: number | undefined): RoutingTable | Promise<RoutingTable>
  stop(): Promise<void>
}

/** `inForce` hears of each configuration that decides from now on. Asked before the first, `nearest` and `awaited` throw. */
export function holdTables(
  bus: Bus,
  log: Logger,
  compile: Compile,
  inForce: (configuration: Configuration, first: boolean) => void,
): Tables {
  let held: HeldTables = noTables
  let forgetting: NodeJS.Timeout | undefined
  const waiting = new Set<() => void>()

  const use = ({ table, configuration }: Readable): void => {
    const first = held.current === undefined
    held = putInForce(held, table)
    clearTimeout(forgetting)
    forgetting = setTimeout(() => {
      held = { ...held, before: undefined }
    }, keepBeforeMs)
    forgetting.unref()
    log.info({ revision: table.revision, users: table.users.size, dids: table.dids.size }, 'configuration in force')
    for (const wake of waiting) wake()
    inForce(configuration, first)
  }
  const stopFollowing: Stop = followRevisions<Readable>(bus, {
    make: async (bytes, urgent) => {
      const read = await compile(bytes, urgent)
      return read.kind === 'table' ? { kind: 'made', value: read } : read
    },
    use,
    prepared: (readable) => {
      held = { ...held, prepared: readable?.table }
    },
    refused: (why) => log.error({ why }, 'configuration refused: the one before stays'),
    revision: () => held.current?.revision,
  })

  const find = (revision: number | undefined) => {
    const found = tableFor(held, revision)
    if (found.kind === 'none') throw new Error('asked before there is a table')
    return found
  }
  const arrival = (revision: number | undefined): Promise<RoutingTable> =>
    new Promise((done) => {
      const look = () => {
        const found = find(revision)
        if (found.kind === 'table') end(found.table)
      }
      const end = (table: RoutingTable) => {
        clearTimeout(patience)
        waiting.delete(look)
        done(table)
      }
      const patience = setTimeout(() => {
        log.warn({ asked: revision, revision: held.current?.revision }, 'an edge is ahead: decided by what is here')
        end(find(revision).table)
      }, aheadMs)
      waiting.add(look)
    })

  return {
    current: () => held.current,
    nearest: (revision) => find(revision).table,
    awaited: (revision) => {
      const found = find(revision)
      return found.kind === 'table' ? found.table : arrival(revision)
    },
    stop: async () => {
      clearTimeout(forgetting)
      for (const wake of waiting) wake()
      await stopFollowing()
    },
  }
}
