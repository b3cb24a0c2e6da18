/** Any call to or from such an enterprise, at any moment of one week. */
import type { CallSource, RouteQuestion } from '@tandem/contracts/routing.ts'
import type { Dice } from './dice.ts'
import type { Moment } from './enterprise.ts'
import { dids, mobileOf, trunkNames, userNames } from './random-enterprise.ts'

/** A week of daylight saving's beginning in Los Angeles: 8 March 2026, 02:00. */
const week = Date.parse('2026-03-05T00:00:00Z')
const callers = userNames.slice(0, 5)
/** Of ours, whoever has them. */
const inventory = ['+14255552010', '+14255552050', '+442079460055', '+14255551700', '+12535554000', '+12535554001']
const outside = ['+12065550100', '+12065550101', '+442079460700', '+14255559100']

export function randomMoment(d: Dice): Moment {
  const poor = d.chance(0.3) ? d.some(trunkNames) : []
  return {
    at: week + d.below(8 * 24 * 60) * 60_000 + d.below(60_000),
    down: d.chance(0.3) ? d.some(trunkNames) : [],
    poor: Object.fromEntries(poor.map((name) => [name, d.one([0, 0, 0.3, 1])])),
    ported: Object.fromEntries(
      d
        .some([...outside, mobileOf(0), '+442079460077'])
        .map((n) => [n, d.one(['+12535550000', '+442079469999', '+14255550000'])]),
    ),
    names: Object.fromEntries(d.some(['+12125550123', '+442079460999']).map((n) => [n, 'GRACE HOPPER'])),
    carried: Object.fromEntries(d.some(trunkNames).map((name) => [name, d.below(6)])),
  }
}

function dialledBy(d: Dice): string {
  const any = () => d.one([d.digits(4), d.digits(7), d.digits(1 + d.below(12)), `206555${d.digits(4)}`])
  const abroad = () => d.one([...outside, ...outside, `+1206555${d.digits(4)}`, `+1425555${d.digits(4)}`])
  const far = abroad()
  const asDialled = far.startsWith('+1') ? d.one([far.slice(1), far.slice(2), far]) : d.one([`011${far.slice(1)}`, far])
  const odd = ['555', '0', '#1234', '*1001', 'zed', 'bob12345', '', '+', '(206) 555-0100', any(), any()]
  const number = d.one([
    ...[asDialled, asDialled, asDialled, asDialled, asDialled, d.one(odd), d.one(odd), d.one(callers)],
    ...[d.one(inventory), d.one(dids), d.one(['1001', '1002', '1003', '1000', '2003', '2001'])],
    ...[d.one(['911', '933', '112', '+911']), '+19005550100'],
  ])
  return d.chance(0.25) ? d.one(['9', '0', '*9', '91']) + number : number
}

/** What a phone says of itself. */
const saidBy = (d: Dice, i: number) =>
  d.one([
    ...['', '', callers[i] ?? '', `100${i}`, dids[i] ?? '', '+14255551000', '+14255551700'],
    ...['+14255559000', '4255559000', '5559000', '+12125559000', '+442079469000'],
  ])

/** As carriers write the numbers of the inventory and of others. */
function calledBy(d: Dice): string {
  if (d.chance(0.1)) return d.one(['911', '9911', '8911', 'nobody'])
  const did = d.one([
    ...[...dids, ...dids, ...inventory, ...outside],
    ...[`+1425555${d.digits(4)}`, `+1206555${d.digits(4)}`, `+4420794${d.digits(5)}`],
  ])
  const american = did.startsWith('+1') ? [did.slice(1), did.slice(2), `011${did.slice(1)}`] : []
  const british = did.startsWith('+44') ? [`0${did.slice(3)}`, did.slice(1), `00${did.slice(1)}`] : []
  return d.one([did, did, ...american, ...british])
}

const uri = (user: string) => `sip:${encodeURIComponent(user).replaceAll('%2B', '+')}@acme.example`

function diversions(d: Dice): string[] {
  if (d.chance(0.1))
    return Array.from({ length: 8 }, (_, i) => `<sip:+1206555010${i}@pstn.example>;reason=unconditional`)
  return d
    .some(['+12065550177', ...dids, 'erin'], 1)
    .slice(0, 2)
    .map((who) => d.one([`<sip:${who}@pstn.example>;reason=user-busy`, `"x" <tel:${who}>;reason=no-answer`]))
}

type Asked = Omit<RouteQuestion, 'callId' | 'at' | 'sourceAddress'>

function byPhone(d: Dice): Asked {
  const i = d.below(callers.length)
  const dialled = dialledBy(d)
  const site = d.one(['hq', 'branch'])
  return {
    source: { kind: 'user', user: callers[i] as string, ...(d.chance(0.9) ? { site } : {}) },
    ...{ dialled, requestUri: uri(dialled), from: { number: saidBy(d, i) } },
    ...(d.chance(0.12) ? { onBehalfOf: d.one(callers) } : {}),
  }
}

/** A carrier has said 302: what it names is asked about for the caller of before. */
function redirected(d: Dice): Asked {
  const first = d.chance(0.5) ? byPhone(d) : byCarrier(d)
  const { onBehalfOf: _, ...asked } = first
  return { ...asked, dialled: calledBy(d), redirectedBy: d.one(trunkNames) }
}

function byCarrier(d: Dice): Asked {
  const [dialled, elsewhere] = [calledBy(d), calledBy(d)]
  const display = d.one([undefined, 'Ada', '12125550123', '+44 20 7946 0999', ''])
  const number = d.one(['+12125550123', '12125550123', '+442079460999', mobileOf(0), mobileOf(1), 'anonymous'])
  const behalf = d.chance(0.1)
  const ported = dialled.startsWith('+') && d.chance(0.1) ? ';npdi' : ''
  return {
    source: { kind: 'trunk', trunk: d.one(trunkNames) },
    ...(behalf
      ? { onBehalfOf: d.one(callers), ...{ dialled: dialledBy(d), requestUri: uri(dialled) } }
      : { dialled: dialled + ported, requestUri: uri(dialled) }),
    ...(d.chance(0.7) ? { toUri: uri(elsewhere) } : {}),
    ...(d.chance(0.5) ? { calledPartyId: d.chance(0.5) ? uri(elsewhere) : `tel:${elsewhere}` } : {}),
    from: { number, ...(display === undefined ? {} : { display }) },
    ...(d.chance(0.2) ? { assertedIdentity: d.one(['sip:+12125550199@pstn.example', 'tel:+442079460999']) } : {}),
    ...(d.chance(0.3) ? { diversions: diversions(d) } : {}),
  }
}

function byStranger(d: Dice): Asked {
  const dialled = d.one(['911', '9911', '0911', '933', '1001', '*9112'])
  const source: CallSource = { kind: 'unknown', ...(d.chance(0.5) ? { site: d.one(['hq', 'branch']) } : {}) }
  return { source, dialled, requestUri: uri(dialled), from: { number: d.one(['', 'x', '+12125550123']) } }
}

export function randomCall(d: Dice, at: number, callId: string): RouteQuestion {
  const asked = d.chance(0.04)
    ? byStranger(d)
    : d.chance(0.04)
      ? redirected(d)
      : d.chance(0.6)
        ? byPhone(d)
        : byCarrier(d)
  const urn = d.one(['urn:service:sos', 'urn:service:sos.fire', 'urn:service:test.sos'])
  return {
    ...asked,
    ...(d.chance(0.15) ? { privacy: true } : {}),
    ...(d.chance(0.02) ? { maxForwards: 0 } : {}),
    ...(d.chance(0.02) ? { requestUri: urn } : {}),
    ...{ callId, sourceAddress: '192.0.2.1', at: new Date(at).toISOString() },
  }
}
