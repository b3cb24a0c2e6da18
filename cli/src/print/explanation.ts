/** The answer to "what would become of this call", for a person: from who calls to what each trunk is sent. */
import type { ExplainPlace, ExplainStep, Explanation, RouteDecision } from '@tandem/contracts/routing.ts'
import { colours } from './colours.ts'
import { qualityText } from './quality.ts'

const STAGES: Record<ExplainStep['stage'], string> = {
  source: 'Who calls',
  emergency: 'Is it an emergency call?',
  normalisation: 'Which number is meant? (first match wins)',
  destination: 'Is it one of ours?',
  authorisation:
    'May it be called? (PSTN usages in order; the first whose route matches wins, the others are failover)',
  selection: 'Which trunks, in which order?',
  translation: 'How does each trunk want the numbers?',
}
const MARKS: Record<ExplainStep['outcome'], string> = {
  matched: colours.green('✓'),
  'no-match': colours.dim('·'),
  skipped: colours.dim('–'),
  note: colours.cyan('i'),
}

export function describeExplanation({ from, to }: { from: string; to: string }, e: Explanation): string {
  const stages = (Object.keys(STAGES) as ExplainStep['stage'][]).flatMap((stage) => section(stage, e.steps))
  return [
    `${colours.bold(from)} dials ${colours.bold(to)}${e.localTime ? colours.dim(`  ${e.localTime}`) : ''}`,
    '',
    ...stages,
    ...result(e),
  ].join('\n')
}

function section(stage: ExplainStep['stage'], all: readonly ExplainStep[]): string[] {
  const steps = all.filter((step) => step.stage === stage)
  if (steps.length === 0) return []
  const width = Math.min(60, Math.max(...steps.map((step) => step.item.length)))
  const lines = steps.map((s) => `  ${MARKS[s.outcome]} ${s.item.padEnd(width)}  ${shade(s)}`)
  return [colours.bold(STAGES[stage]), ...lines, '']
}

function shade(step: ExplainStep): string {
  return step.outcome === 'matched' || step.outcome === 'note' ? step.detail : colours.dim(step.detail)
}

function result({ decision, places = [] }: Explanation): string[] {
  if (decision.kind === 'reject') {
    return [colours.bold('Result'), `  ${colours.red('✗')} refused with SIP ${decision.status}: ${decision.reason}`]
  }
  const facts = [
    ['emergency', decision.emergency ? colours.red(decision.emergencyTest ? 'yes, a test call' : 'yes') : 'no'],
    ['limits', decision.emergency && 'none: it is never refused, and counted nowhere'],
    ['number', numberOf(decision)],
    ['usage', decision.usage],
    ['for', decision.callee.user && `user ${decision.callee.user}`],
  ].flatMap(([head, value]) => (value ? [`  ${(head as string).padEnd(10)} ${value}`] : []))
  const branches = decision.branches.flatMap((_, i) => branch(places.filter((place) => place.branch === i)))
  return [colours.bold('Result'), ...facts, ...branches]
}

function numberOf(decision: RouteDecision & { kind: 'route' }): string {
  const number = decision.normalised ?? decision.callee.number ?? decision.dialled
  return decision.rule === undefined ? number : `${number} (rule ${decision.rule})`
}

const CAUSES = {
  busy: 'when busy',
  'no-answer': 'when nobody answers',
  unreachable: 'when no phone is reached',
} as const
const ROLES = { callee: 'the call', mobile: 'at the same time, the mobile', forward: 'forwarded' } as const

function branch(places: readonly ExplainPlace[]): string[] {
  const [first] = places
  if (first === undefined) return []
  const after = first.delayMs > 0 ? ` after ${first.delayMs / 1000} s` : ''
  const when = first.on === undefined ? '' : ` ${first.on.map((cause) => CAUSES[cause]).join(' or ')}`
  return ['', `  ${colours.bold(ROLES[first.role])}${when}${after}:`, ...places.flatMap((p, i) => placeLines(p, i + 1))]
}

const HEALTH = {
  up: colours.green,
  probing: colours.yellow,
  down: colours.red,
  drain: colours.red,
  unknown: colours.dim,
}

function placeLines(place: ExplainPlace, number: number): string[] {
  if (place.trunk === undefined) return [`  ${number}. ${colours.bold(place.user ?? '')}  all registered phones ring`]
  const { health = 'unknown', quality, route, usage, cost } = place
  const why = [
    HEALTH[health](health === 'unknown' ? 'health unknown' : health),
    quality === undefined ? '' : qualityText(quality),
    place.admission === undefined ? '' : sayAdmission(place.admission),
    route === undefined ? '' : `route ${route}`,
    usage === undefined ? '' : `usage ${usage}`,
    cost === undefined ? '' : sayCost(cost),
  ]
  return [
    `  ${number}. ${colours.bold(`trunk ${place.trunk}`)}  ${why.filter((part) => part !== '').join(' · ')}`,
    `       called   ${place.called}`,
    `       calling  ${place.calling || '(none)'}`,
    ...(place.headers ?? []).map(([name, value]) => `       ${colours.dim(`${name}: ${value}`)}`),
  ]
}

function sayAdmission(a: NonNullable<ExplainPlace['admission']>): string {
  const calls = a.maxCalls === undefined ? '' : `${a.calls ?? '?'} of ${a.maxCalls} calls`
  const more = [
    a.maxCallsPerSecond === undefined ? '' : `${a.maxCallsPerSecond} new/s`,
    a.maxKbps === undefined ? '' : `${a.maxKbps} kbit/s`,
  ].filter((part) => part !== '')
  const limits = [calls, more.length === 0 ? '' : `at most ${more.join(' and ')}`].filter((part) => part !== '')
  return a.full ? colours.red(`full: ${limits.join(', ')}`) : limits.join(', ')
}

function sayCost({ deck, currency, perMinute }: NonNullable<ExplainPlace['cost']>): string {
  return perMinute === undefined ? `deck ${deck}` : `${perMinute} ${currency ?? ''} a minute (${deck})`
}
