import type { Configuration } from '@tandem/config/defaults.ts'
import type { RouteDecision, RoutePlan } from '@tandem/contracts/routing.ts'
import { decideRoute } from './decide-route.ts'
import { askedBy, readSource } from './explain.ts'
import { sayDecision } from './say-decision.ts'
import type { RoutingTable } from './table.ts'

export type StoredTest = Configuration['tests'][number]
/** `index`: place in the configuration's list. `detail`: what came, and what was expected instead. */
export type Outcome = {
  readonly index: number
  readonly passed: boolean
  readonly detail: string
  /** What becomes of it by `before`, when that was given, and by this table. */
  readonly before?: string
  readonly after: string
}

/** The stored test cases of a configuration, as if every trunk were up (routing.md R2, R10). `now`: for those without `at`. */
export function runTests(
  tests: readonly StoredTest[],
  table: RoutingTable,
  now: number,
  before?: RoutingTable,
): Outcome[] {
  return tests.map((test, index) => {
    const decision = decideTest(test, table, now)
    const wrong = differences(test, decision)
    const call = `${test.from} dials ${test.dial}`
    const detail =
      wrong.length === 0
        ? `${call}: ${sayDecision(decision)}`
        : `${call}: ${wrong.join('; ')} (${sayDecision(decision)})`
    return {
      ...{ index, passed: wrong.length === 0, detail: detail.slice(0, 1024) },
      ...(before === undefined ? {} : { before: sayDecision(decideTest(test, before, now)).slice(0, 1024) }),
      after: sayDecision(decision).slice(0, 1024),
    }
  })
}

function decideTest(test: StoredTest, table: RoutingTable, now: number): RouteDecision {
  const { source, number } = readSource(test.from, table)
  const at = Date.parse(test.at ?? '')
  const when = Number.isNaN(at) ? now : at
  return decideRoute(askedBy(source, number, test.dial, when), table, when)
}

type Seen = Pick<StoredTest, 'normalised' | 'usage' | 'route' | 'trunk' | 'user' | 'emergency' | 'reject'>

function differences(test: StoredTest, decision: RouteDecision): string[] {
  const seen = seenIn(decision)
  const wrong: string[] = []
  for (const key of ['normalised', 'usage', 'route', 'trunk', 'user', 'emergency', 'reject'] as const) {
    if (test[key] === undefined || test[key] === seen[key]) continue
    wrong.push(`expected ${key} ${test[key]}, got ${seen[key] ?? 'none'}`)
  }
  // A case that expects nothing of its own at least expects the call to go through.
  if (wrong.length === 0 && decision.kind === 'reject' && test.reject === undefined) {
    wrong.push(`expected the call to go through, got ${decision.status}`)
  }
  return wrong
}

/** What a stored test can name of a decision; route and trunk are those of the first attempt. */
function seenIn(decision: RouteDecision): Seen {
  if (decision.kind === 'reject') {
    return {
      reject: decision.status,
      emergency: false,
      ...(decision.normalised ? { normalised: decision.normalised } : {}),
    }
  }
  const first = firstTrunk(decision)
  return {
    emergency: decision.emergency,
    ...(decision.normalised === undefined ? {} : { normalised: decision.normalised }),
    ...(decision.usage === undefined ? {} : { usage: decision.usage }),
    ...(decision.callee.user === undefined ? {} : { user: decision.callee.user }),
    ...(first === undefined ? {} : { trunk: first.trunk }),
    ...(first?.route === undefined ? {} : { route: first.route }),
  }
}

function firstTrunk(plan: RoutePlan) {
  const attempt = plan.branches[0]?.attempts[0]
  return attempt?.kind === 'trunk' ? attempt : undefined
}
