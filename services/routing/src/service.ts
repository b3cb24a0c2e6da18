import { setImmediate as turn } from 'node:timers/promises'
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import { CONFIG_BUCKET } from '@tandem/config/revision.ts'
import type { Answer, Question } from '@tandem/contracts/contract.ts'
import { TrunkChanged } from '@tandem/contracts/registration.ts'
import {
  ExplainRoute,
  type MovedCall,
  RehearseConfiguration,
  ResolveRoute,
  type SampledCall,
} from '@tandem/contracts/routing.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { compileOnce } from './adapters/compile-once.ts'
import { judgeTrunks } from './adapters/judge-trunks.ts'
import { keepFacts } from './adapters/keep-facts.ts'
import { carriedCalls } from './domain/carried-calls.ts'
import { movedCalls } from './domain/compare-calls.ts'
import { decideRoute } from './domain/decide-route.ts'
import { explainRoute, isAway, type TrunkHealth } from './domain/explain.ts'
import { runTests } from './domain/run-tests.ts'
import type { RoutingTable } from './domain/table.ts'
import { holdTables } from './hold-tables.ts'

export type RoutingService = {
  /** Undefined when calls can be decided, or why not. */
  ready(): string | undefined
  /** The configuration revision that decides now. */
  revision(): number | undefined
  stop(): Promise<void>
}

/** In slices: between two of them the calls that came meanwhile are decided, emergency calls among them. */
async function moved(calls: readonly SampledCall[], before: RoutingTable, after: RoutingTable): Promise<MovedCall[]> {
  const found: MovedCall[] = []
  for (let at = 0; at < calls.length; at += 50) {
    for (const call of movedCalls(calls.slice(at, at + 50), before, after))
      found.push({ ...call, index: at + call.index })
    await turn()
  }
  return found
}

/** As long as the stream keeps the state of trunks, ms. */
const rememberMs = 24 * 3_600_000

/** Decides calls from memory; the table is swapped as one when a new revision stands in the bucket. `clock`: epoch ms. */
export function startRouting(deps: { bus: Bus; log: Logger; clock: () => number }): RoutingService {
  const { bus, log, clock } = deps
  let down: ReadonlySet<string> = new Set()
  let heard = false
  const health = new Map<string, TrunkHealth>()
  const carried = carriedCalls()
  const quality = judgeTrunks({ bus, log, clock })
  const kept = keepFacts(log)
  const once = compileOnce()
  const stops: Stop[] = [async () => kept.stop(), async () => once.stop()]

  const answerCalls = (): void => {
    const decide = async (question: Question<typeof ResolveRoute>): Promise<Answer<typeof ResolveRoute>> => {
      const { revision } = question
      const trunks = { down, poor: quality.poor(), facts: kept.facts }
      const near = decideRoute(question, tables.nearest(revision), clock(), trunks)
      // An emergency call waits for no revision (routing.md R7).
      const urgent = near.kind === 'route' && near.emergency
      const decision =
        urgent || revision === undefined || near.revision >= revision
          ? near
          : decideRoute(question, await tables.awaited(revision), clock(), trunks)
      const status = decision.kind === 'reject' ? { status: decision.status, reason: decision.reason } : {}
      log.info({ callId: question.callId, decision: decision.kind, ...status }, 'route decided')
      return decision
    }
    stops.push(bus.answer(ResolveRoute, decide))
    const seen = () => ({ health, quality: quality.all(), calls: carried.all(), facts: kept.facts })
    const explain = (asked: Question<typeof ExplainRoute>) =>
      explainRoute(asked, tables.nearest(undefined), clock(), seen())
    stops.push(bus.answer(ExplainRoute, explain))
    // Ready when the server has taken the subscriptions: a question before that would find nobody.
    bus.flush().then(
      () => {
        heard = true
      },
      (error: unknown) => log.warn({ err: error }, 'subscriptions not confirmed'),
    )
  }

  /** Trunks whose prober has spoken: no other edge's word on their health counts. */
  const probed = new Set<string>()
  // From the stream, so that a router that starts later knows it too. One prober per trunk: its last word counts.
  stops.push(
    bus.replay(TrunkChanged, { sinceMs: rememberMs }, ({ trunk, edge, calls, health: state, prober }) => {
      carried.set(trunk, edge, calls)
      if (prober) probed.add(trunk)
      // an edge that has just begun knows nothing yet
      else if (probed.has(trunk)) return
      health.set(trunk, state)
      const away = isAway(state)
      if (away === down.has(trunk)) return
      const next = new Set(down)
      if (away) next.add(trunk)
      else next.delete(trunk)
      down = next
    }),
  )
  const rehearse = async ({ revision, candidate, calls = [] }: Question<typeof RehearseConfiguration>) => {
    const there = candidate === undefined ? undefined : await (await bus.bucket(CONFIG_BUCKET)).standing(candidate)
    const read = await once.compile((await there?.packed()) ?? new TextEncoder().encode(revision))
    if (read.kind === 'bad') return { outcomes: [{ index: 0, passed: false, detail: read.why.slice(0, 1024) }] }
    const before = tables.current()
    return {
      outcomes: runTests(read.configuration.tests, read.table, clock(), before),
      ...(before === undefined ? {} : { moved: await moved(calls, before, read.table) }),
    }
  }
  // One at a time: a large one takes a processor for seconds, and the calls need the others.
  let rehearsing: Promise<unknown> = Promise.resolve()
  stops.push(
    bus.answer(RehearseConfiguration, (question, { deadline }) => {
      const mine = rehearsing.then(() => (clock() > deadline ? undefined : rehearse(question)))
      rehearsing = mine.catch(() => {})
      return mine
    }),
  )

  const tables = holdTables(bus, log, once.compile, ({ trunks, numberFacts }, first) => {
    quality.configured(trunks)
    kept.configured(numberFacts)
    // Not before there is a table: without an answer the edge knows at once that nobody decides.
    if (first) answerCalls()
  })
  stops.push(() => tables.stop())
  return {
    ready: () => {
      if (tables.current() === undefined) return 'no configuration yet'
      if (!bus.connected) return 'not connected to NATS'
      return heard ? undefined : 'subscribing'
    },
    revision: () => tables.current()?.revision,
    stop: async () => {
      await Promise.allSettled([quality.stop(), ...stops.map((stop) => stop())])
    },
  }
}
