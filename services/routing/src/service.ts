import type { Bus, Stop } from '@tandem/bus/bus.ts'
import type { Answer, Question } from '@tandem/contracts/contract.ts'
import { TrunkChanged } from '@tandem/contracts/registration.ts'
import { ExplainRoute, RehearseConfiguration, ResolveRoute } from '@tandem/contracts/routing.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { followRevisions } from './adapters/follow-revisions.ts'
import { judgeTrunks } from './adapters/judge-trunks.ts'
import { decideRoute } from './domain/decide-route.ts'
import { explainRoute, isAway, type TrunkHealth } from './domain/explain.ts'
import { runTests } from './domain/run-tests.ts'
import type { RoutingTable } from './domain/table.ts'
import { readTable } from './read-table.ts'

export type RoutingService = {
  /** Undefined when calls can be decided, or why not. */
  ready(): string | undefined
  /** The configuration revision that decides now. */
  revision(): number | undefined
  stop(): Promise<void>
}

/** As long as the stream keeps the state of trunks, ms. */
const rememberMs = 24 * 3_600_000

/** Decides calls from memory; the table is swapped as one when a new revision stands in the bucket. `clock`: epoch ms. */
export function startRouting(deps: { bus: Bus; log: Logger; clock: () => number }): RoutingService {
  const { bus, log, clock } = deps
  let table: RoutingTable | undefined
  let down: ReadonlySet<string> = new Set()
  let heard = false
  const health = new Map<string, TrunkHealth>()
  const quality = judgeTrunks({ bus, log, clock })
  const stops: Stop[] = []

  const answerCalls = (): void => {
    const decide = (question: Question<typeof ResolveRoute>): Answer<typeof ResolveRoute> => {
      const decision = decideRoute(question, table as RoutingTable, clock(), { down, poor: quality.poor() })
      const status = decision.kind === 'reject' ? { status: decision.status, reason: decision.reason } : {}
      log.info({ callId: question.callId, decision: decision.kind, ...status }, 'route decided')
      return decision
    }
    stops.push(bus.answer(ResolveRoute, decide))
    const explain = (asked: Question<typeof ExplainRoute>) =>
      explainRoute(asked, table as RoutingTable, clock(), health, quality.all())
    stops.push(bus.answer(ExplainRoute, explain))
    // Ready when the server has taken the subscriptions: a question before that would find nobody.
    bus.flush().then(
      () => {
        heard = true
      },
      (error: unknown) => log.warn({ err: error }, 'subscriptions not confirmed'),
    )
  }

  // From the stream, so that a router that starts later knows it too. One prober per trunk: its last word counts.
  stops.push(
    bus.replay(TrunkChanged, { sinceMs: rememberMs }, ({ trunk, health: state }) => {
      health.set(trunk, state)
      const away = isAway(state)
      if (away === down.has(trunk)) return
      const next = new Set(down)
      if (away) next.add(trunk)
      else next.delete(trunk)
      down = next
    }),
  )
  stops.push(
    bus.answer(RehearseConfiguration, ({ revision }) => {
      const read = readTable(revision)
      if (read.kind === 'table') return { outcomes: runTests(read.configuration.tests, read.table, clock()) }
      return { outcomes: [{ index: 0, passed: false, detail: read.why.slice(0, 1024) }] }
    }),
  )

  stops.push(
    followRevisions(bus, log, (bytes) => {
      const read = readTable(bytes)
      if (read.kind === 'bad') {
        log.error({ why: read.why }, 'configuration refused: the one before stays')
        return
      }
      const first = table === undefined
      table = read.table
      quality.configured(read.configuration.trunks)
      log.info({ revision: table.revision, users: table.users.size, dids: table.dids.size }, 'configuration in force')
      // Not before there is a table: without an answer the edge knows at once that nobody decides.
      if (first) answerCalls()
    }),
  )
  return {
    ready: () => {
      if (table === undefined) return 'no configuration yet'
      if (!bus.connected) return 'not connected to NATS'
      return heard ? undefined : 'subscribing'
    },
    revision: () => table?.revision,
    stop: async () => {
      await Promise.allSettled([quality.stop(), ...stops.map((stop) => stop())])
    },
  }
}
