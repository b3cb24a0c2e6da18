import type { JudgedTrunk } from '@tandem/contracts/registration.ts'
import type {
  CallSource,
  ExplainPlace,
  ExplainQuestion,
  ExplainStep,
  Explanation,
  RoutePlan,
  RouteQuestion,
  TrunkAttempt,
} from '@tandem/contracts/routing.ts'
import { toE164 } from '@tandem/numbers/e164.ts'
import type { Note } from './circumstances.ts'
import { decideRoute } from './decide-route.ts'
import type { NumberFacts } from './number-facts.ts'
import type { Pick as Picked } from './select-trunks.ts'
import type { RoutingTable } from './table.ts'

/** The contract's bounds. */
const mostSteps = 5000
const longestText = 1024

export type TrunkHealth = NonNullable<ExplainPlace['health']>

/** What a router has heard of trunks and numbers. */
export type Seen = {
  /** The last word on each trunk. */
  readonly health: ReadonlyMap<string, TrunkHealth>
  /** Of those that are judged. */
  readonly quality: ReadonlyMap<string, JudgedTrunk>
  /** That they carry. */
  readonly calls: ReadonlyMap<string, number>
  readonly facts: NumberFacts | undefined
}

/**
 * What would become of a call, with everything that was looked at on the way (routing.md R10): the very code that
 * decides calls, listened to. `now` is for questions that name no time.
 */
export function explainRoute(
  asked: ExplainQuestion,
  table: RoutingTable,
  now: number,
  { health = new Map(), quality = new Map(), calls = new Map(), facts }: Partial<Seen> = {},
): Explanation {
  const steps: ExplainStep[] = []
  const note: Note = (stage, item, outcome, detail) => {
    if (steps.length >= mostSteps) return
    steps.push({ stage, item: item.slice(0, longestText), outcome, detail: detail.slice(0, longestText) })
  }
  const picks: Known['picks'] = new Map()
  const placed = (attempt: TrunkAttempt, pick: Picked, called: string) => void picks.set(attempt, { pick, called })
  const { source, number } = readSource(asked.from, table, note)
  const at = Date.parse(asked.at ?? '')
  const when = Number.isNaN(at) ? now : at
  const down = new Set([...health].flatMap(([name, state]) => (isAway(state) ? [name] : [])))
  // nobody is curious about a probe: the ordinary order is shown
  const poor = new Map([...quality].flatMap(([name, q]) => (q.demoted ? [[name, { why: q.why ?? '', probe: 0 }]] : [])))
  const question = askedBy(source, number, asked.dialled, when)
  const decision = decideRoute(question, table, when, { down, poor, note, placed, facts })
  return {
    ...{ steps, decision, at: new Date(when).toISOString(), localTime: localTime(when, table.timeZone) },
    emergency: decision.kind === 'route' && decision.emergency,
    places: decision.kind === 'route' ? placesOf(decision, table, { picks, health, quality, calls, facts, when }) : [],
  }
}

export const isAway = (state: TrunkHealth): boolean => state === 'down' || state === 'drain'

function localTime(at: number, timeZone: string): string {
  const wanted = { dateStyle: 'full', timeStyle: 'short', timeZone } as const
  return `${new Intl.DateTimeFormat('en-GB', wanted).format(at)}, ${timeZone}`
}

type Known = {
  /** Route and usage of an attempt, and the number before the trunk's translation. */
  readonly picks: Map<TrunkAttempt, { readonly pick: Picked; readonly called: string }>
  readonly when: number
} & Seen

function placesOf(plan: RoutePlan, table: RoutingTable, known: Known): ExplainPlace[] {
  return plan.branches.flatMap(({ role, delayMs, follows, attempts }, branch) =>
    attempts.map((attempt): ExplainPlace => {
      const on = follows === undefined ? {} : { on: follows.on }
      if (attempt.kind === 'user') return { branch, role, delayMs, ...on, user: attempt.user }
      const pick = known.picks.get(attempt)
      const cost = costOf(attempt, pick?.called ?? attempt.called, table, known)
      return {
        ...{ branch, role, delayMs, ...on, trunk: attempt.trunk },
        ...(attempt.route === undefined ? {} : { route: attempt.route }),
        ...(pick === undefined ? {} : { usage: pick.pick.usage }),
        health: known.health.get(attempt.trunk) ?? 'unknown',
        ...qualityOf(known.quality.get(attempt.trunk)),
        ...(plan.emergency ? {} : admissionOf(attempt.trunk, table, known)),
        ...(cost === undefined ? {} : { cost }),
        ...{ called: attempt.called, calling: attempt.calling, headers: headersOf(attempt, plan, table) },
      }
    }),
  )
}

function qualityOf(quality: JudgedTrunk | undefined): { quality?: JudgedTrunk } {
  return quality === undefined ? {} : { quality }
}

/** R9: the edges count and lend; what a router hears of it is as old as the last word on the trunk. */
function admissionOf(name: string, table: RoutingTable, known: Known): Pick<ExplainPlace, 'admission'> {
  const limits = table.trunks.get(name)?.limits
  if (limits === undefined || Object.values(limits).every((limit) => limit === null)) return {}
  const calls = known.calls.get(name)
  const maxima = { maxCalls: limits.calls, maxCallsPerSecond: limits.callsPerSecond, maxKbps: limits.bandwidthKbps }
  const set = Object.fromEntries(Object.entries(maxima).filter(([, limit]) => limit !== null))
  const full = limits.calls !== null && (calls ?? 0) >= limits.calls
  return { admission: { ...set, ...(calls === undefined ? {} : { calls }), full } }
}

function costOf(attempt: TrunkAttempt, number: string, table: RoutingTable, known: Known): ExplainPlace['cost'] {
  const cost = table.trunks.get(attempt.trunk)?.cost
  if (cost === undefined) return undefined
  const { deck, currency } = cost
  if (cost.kind === 'bandwidth') return { deck }
  const rated = known.facts?.ported(number)?.routingNumber ?? number
  const perMinute = number.length < 7 ? undefined : cost.of(rated.replace(/^\+/, ''), known.when)
  return perMinute === undefined ? { deck } : { deck, currency, perMinute: String(perMinute) }
}

/** As the edge writes them (RFC 3261 8.1.1, 3323, 3325): only a trusted trunk sees who it is that withholds the number. */
function headersOf(attempt: TrunkAttempt, plan: RoutePlan, table: RoutingTable): [string, string][] {
  const { calling, displayName, headers = [] } = attempt
  const name = displayName === undefined ? '' : `"${displayName}" `
  const uri = `<sip:${calling}@${table.domain}>`
  if (calling === 'anonymous') return [['From', '"Anonymous" <sip:anonymous@anonymous.invalid>'], ...headers]
  const asserts = plan.emergency || table.trunks.get(attempt.trunk)?.trusted === true
  return [
    ['From', `${name}${uri}`],
    ...(asserts ? [['P-Asserted-Identity', `${name}${uri}`] as [string, string]] : []),
    ...headers,
  ]
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
