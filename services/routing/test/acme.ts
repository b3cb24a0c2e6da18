/** The enterprise of the examples: two sites, two ITSPs, two users; tests change it by replacing pieces of its text. */
import assert from 'node:assert/strict'
import { checkConfiguration } from '@tandem/config/check.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import type { CallSource, RouteDecision, RoutePlan, RouteQuestion, RouteReject } from '@tandem/contracts/routing.ts'
import { compileTable } from '../src/domain/compile-table.ts'
import { decideRoute } from '../src/domain/decide-route.ts'
import type { RoutingTable } from '../src/domain/table.ts'

export const acmeText = `
version: 1
domain: acme.example
country: US
timeZone: America/Los_Angeles
edge:
  listen:
    inside:  { url: "udp://127.0.0.1:5060", digest: [md5, sha-256] }
    carrier: { url: "udp://127.0.0.1:5070" }
  media: { relay: embedded, address: 127.0.0.1, ports: "20000-20999" }
sites:
  hq:     { networks: ["127.0.0.1/32", "10.1.0.0/16"], dialPlan: us-hq, location: hq-lobby }
  branch: { networks: ["10.2.0.0/16"], dialPlan: us-branch, location: branch-floor }
dialPlans:
  us-hq:
    externalPrefix: "9"
    rules:
      - { name: extension,     match: '^(1\\d{3})$',   to: '+1425555$1', internal: true }
      - { name: seven-digit,   match: '^(\\d{7})$',    to: '+1425$1' }
      - { name: ten-digit,     match: '^(\\d{10})$',   to: '+1$1' }
      - { name: long-distance, match: '^(1\\d{10})$',  to: '+$1' }
      - { name: international, match: '^011(\\d+)$',   to: '+$1' }
  us-branch:
    externalPrefix: "9"
    rules:
      - { name: ten-digit,     match: '^(\\d{10})$',   to: '+1$1' }
      - { name: long-distance, match: '^(1\\d{10})$',  to: '+$1' }
      - { name: international, match: '^011(\\d+)$',   to: '+$1' }
policies:
  staff:     { usages: [local, national], forward: [local], ring: [local, national] }
  executive: { usages: [local, national, international] }
  lobby:     { usages: [local] }
routes:
  - { name: puget-sound,   match: '^\\+1(425|206|253)\\d{7}$', usages: [local],         trunks: [itsp-a, itsp-b] }
  - { name: north-america, match: '^\\+1\\d{10}$',              usages: [national],      trunks: [itsp-a, itsp-b] }
  - { name: world,         match: '^\\+',                      usages: [international], trunks: [itsp-b], select: cost }
trunks:
  itsp-a:
    to: ["sip:127.0.0.1:5080"]
    from: ["127.0.0.1:5080"]
    listener: carrier
    translate: { outbound: { called: [{ match: '^\\+(.*)$', to: '$1' }] } }
    emergency: true
    cost: itsp-a-minutes
  itsp-b:
    to: ["sip:127.0.0.1:5090"]
    from: ["127.0.0.1:5090"]
    listener: carrier
    emergency: true
    cost: itsp-b-bandwidth
users:
  alice: { did: "+14255551001", extension: "1001", site: hq, policy: executive, mobile: "+12065550142", simultaneousRing: true, location: hq-2-201, costCentre: sales, password: { env: ALICE_PASSWORD } }
  bob:   { did: "+14255551002", extension: "1002", site: hq, policy: staff, costCentre: support, password: { env: BOB_PASSWORD } }
  carol: { extension: "1003", site: branch, policy: lobby, password: { env: CAROL_PASSWORD } }
locations:
  hq-lobby: { country: US, A1: WA, A3: Redmond, HNO: "15010", PRD: NE, RD: "36th", STS: St, PC: "98052", BLD: "1", FLR: "1", ROOM: Lobby }
  hq-2-201: { country: US, A1: WA, A3: Redmond, HNO: "15010", PRD: NE, RD: "36th", STS: St, PC: "98052", BLD: "1", FLR: "2", ROOM: "201" }
  branch-floor: { country: US, A1: NY, A3: New York, HNO: "11", RD: "Times", STS: Sq, PC: "10036", FLR: "9" }
emergency:
  numbers: ["911", "112"]
  test: ["933"]
  trunks: [itsp-a, itsp-b]
  relayCentre: "+18005550911"
  desk: ["sip:bob@acme.example", "http://127.0.0.1:8911/911"]
  elins: { hq: ["+14255551900", "+14255551901"], branch: ["+12125550900"] }
rateDecks:
  itsp-a-minutes:   { kind: per-minute, currency: USD, file: rates/itsp-a.csv, increments: "6/6" }
  itsp-b-bandwidth: { kind: bandwidth, currency: USD, commit: 5Mbit/s, increment: 1Mbit/s, price: "12.50" }
tests:
  - { from: alice, dial: "9011442079460000", normalised: "+442079460000", usage: international, trunk: itsp-b }
  - { from: bob,   dial: "9011442079460000", reject: 403 }
  - { from: bob,   dial: "911", emergency: true, trunk: itsp-a }
`

/** Each change is [what stands there, what stands there instead]. */
export function configurationWith(...changes: readonly (readonly [string, string])[]): Configuration {
  let text = acmeText
  for (const [before, after] of changes) {
    assert.ok(text.includes(before), `the example has no "${before}"`)
    text = text.replace(before, () => after)
  }
  const checked = checkConfiguration({ files: [{ path: 'acme.yaml', text }] })
  assert.equal(checked.kind, 'ok', JSON.stringify(checked.kind === 'bad' ? checked.problems : ''))
  return (checked as { configuration: Configuration }).configuration
}

export function tableWith(...changes: readonly (readonly [string, string])[]): RoutingTable {
  return compileTable(configurationWith(...changes), { revision: 7 })
}

export const acme = tableWith()
/** A Tuesday, 10:00 in Los Angeles. */
export const tuesday = Date.parse('2026-03-10T17:00:00Z')

export const from = {
  alice: { kind: 'user', user: 'alice', site: 'hq' },
  bob: { kind: 'user', user: 'bob', site: 'hq' },
  carol: { kind: 'user', user: 'carol', site: 'branch' },
  itspA: { kind: 'trunk', trunk: 'itsp-a' },
  itspB: { kind: 'trunk', trunk: 'itsp-b' },
  stranger: { kind: 'unknown' },
} as const satisfies Record<string, CallSource>

export function ask(source: CallSource, dialled: string, more: Partial<RouteQuestion> = {}): RouteQuestion {
  const requestUri = `sip:${dialled}@acme.example`
  return {
    callId: 'call-1',
    source,
    sourceAddress: '127.0.0.1',
    dialled,
    requestUri,
    from: { number: source.kind === 'trunk' ? '+12065550199' : '' },
    at: new Date(tuesday).toISOString(),
    ...more,
  }
}

export function decide(
  source: CallSource,
  dialled: string,
  more: Partial<RouteQuestion> = {},
  table = acme,
): RouteDecision {
  return decideRoute(ask(source, dialled, more), table, tuesday)
}

export function plan(decision: RouteDecision): RoutePlan {
  assert.equal(decision.kind, 'route', JSON.stringify(decision))
  return decision as RoutePlan
}

export function refusal(decision: RouteDecision): RouteReject {
  assert.equal(decision.kind, 'reject', JSON.stringify(decision))
  return decision as RouteReject
}

/** `callee: itsp-a 12065550100, itsp-b +12065550100`, a line for each branch. */
export function walk(decision: RouteDecision): string[] {
  return plan(decision).branches.map(
    ({ role, attempts }) =>
      `${role}: ${attempts.map((a) => (a.kind === 'user' ? a.user : `${a.trunk} ${a.called}`)).join(', ')}`,
  )
}
