import type { MovedCall, RouteDecision, SampledCall } from '@tandem/contracts/routing.ts'
import { decideRoute } from './decide-route.ts'
import { askedBy } from './explain.ts'
import { sayDecision, sayShown } from './say-decision.ts'
import type { RoutingTable } from './table.ts'

/** The contract's bound. */
const longest = 1024

/**
 * Which of these calls would go elsewhere, be refused, be let through or be shown otherwise, were they made again at the
 * time at which they were made. As if every trunk were up, like the stored tests.
 */
export function movedCalls(calls: readonly SampledCall[], before: RoutingTable, after: RoutingTable): MovedCall[] {
  return calls.flatMap((call, index) => {
    const at = Date.parse(call.at)
    const question = askedBy(call.source, call.number, call.dialled, at)
    const [was, is] = [decideRoute(question, before, at), decideRoute(question, after, at)]
    const said = differ(sayDecision, was, is) ?? differ(sayShown, was, is)
    return said === undefined ? [] : [{ index, ...said }]
  })
}

function differ(say: (decision: RouteDecision) => string, was: RouteDecision, is: RouteDecision) {
  const [before, after] = [say(was), say(is)]
  return before === after ? undefined : { before: before.slice(0, longest), after: after.slice(0, longest) }
}
