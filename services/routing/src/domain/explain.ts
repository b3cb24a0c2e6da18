import type { CallSource, ExplainQuestion, ExplainStep, Explanation, RouteQuestion } from '@tandem/contracts/routing.ts'
import { toE164 } from '@tandem/numbers/e164.ts'
import type { Note } from './circumstances.ts'
import { decideRoute } from './decide-route.ts'
import type { RoutingTable } from './table.ts'

/** The contract's bounds. */
const mostSteps = 5000
const longestText = 1024

/**
 * What would become of a call, with everything that was looked at on the way (routing.md R10): the very code that
 * decides calls, listened to. `now` is for questions that name no time.
 */
export function explainRoute(
  asked: ExplainQuestion,
  table: RoutingTable,
  now: number,
  down: ReadonlySet<string> = new Set(),
): Explanation {
  const steps: ExplainStep[] = []
  const note: Note = (stage, item, outcome, detail) => {
    if (steps.length >= mostSteps) return
    steps.push({ stage, item: item.slice(0, longestText), outcome, detail: detail.slice(0, longestText) })
  }
  const { source, number } = readSource(asked.from, table, note)
  const at = Date.parse(asked.at ?? '')
  const when = Number.isNaN(at) ? now : at
  const question = askedBy(source, number, asked.dialled, when)
  return { steps, decision: decideRoute(question, table, when, { down, note }) }
}

/** The question that the edge would ask for such a call. */
export function askedBy(source: CallSource, number: string, dialled: string, at: number): RouteQuestion {
  return {
    callId: 'what-if',
    source,
    sourceAddress: '',
    dialled,
    requestUri: /^urn:/i.test(dialled) ? dialled : `sip:${encodeURIComponent(dialled)}@what-if.invalid`,
    from: { number },
    at: new Date(at).toISOString(),
  }
}

/** A user by name, number or extension; a trunk by name; any other number calls in on the first trunk. */
export function readSource(from: string, table: RoutingTable, note?: Note): { source: CallSource; number: string } {
  const number = toE164(from, { country: table.country })
  const user = table.users.get(from) ?? table.dids.get(number ?? from) ?? table.soleExtensions.get(from)
  if (user !== undefined) {
    note?.('source', `user ${user.name}`, 'matched', `calls from site ${user.site}, ${user.policy.usages.owner}`)
    return { source: { kind: 'user', user: user.name, site: user.site }, number: user.did ?? from }
  }
  const trunk = table.trunks.get(from)
  if (trunk !== undefined) {
    note?.('source', `trunk ${trunk.name}`, 'matched', 'a call from the telephone network')
    return { source: { kind: 'trunk', trunk: trunk.name }, number: '' }
  }
  const [first] = table.trunks.keys()
  if (number !== undefined && first !== undefined) {
    note?.(
      'source',
      number,
      'matched',
      `belongs to nobody here: calls in from the telephone network, say on trunk ${first}`,
    )
    return { source: { kind: 'trunk', trunk: first }, number }
  }
  note?.(
    'source',
    from,
    'no-match',
    'is no user, extension, number or trunk: taken for a device that has not registered',
  )
  return { source: { kind: 'unknown' }, number: from }
}
