import assert from 'node:assert/strict'
import { test } from 'node:test'
import { carriedCalls } from '../src/domain/carried-calls.ts'
import { compileTable } from '../src/domain/compile-table.ts'
import { explainRoute } from '../src/domain/explain.ts'
import { runTests } from '../src/domain/run-tests.ts'
import { acme, configurationWith, tableWith, tuesday } from './acme.ts'

const explain = (from: string, dialled: string) => explainRoute({ from, dialled }, acme, tuesday)
const lines = (from: string, dialled: string) =>
  explain(from, dialled).steps.map((s) => `${s.stage} · ${s.item} · ${s.outcome} · ${s.detail}`)

test('R10: every rule tried is shown with why or why not, up to what would be sent', () => {
  assert.deepEqual(lines('alice', '912065550100'), [
    'source · user alice · matched · calls from site hq, policy executive',
    'emergency · emergency numbers · no-match · 912065550100 is none of 911, 112, 933',
    'normalisation · dial plan us-hq · note · of site hq, outside line 9',
    'normalisation · internal rules: rule extension · no-match · ^(1\\d{3})$ does not match 912065550100',
    'normalisation · after the outside-line prefix: rule seven-digit · no-match · ^(\\d{7})$ does not match 12065550100',
    'normalisation · after the outside-line prefix: rule ten-digit · no-match · ^(\\d{10})$ does not match 12065550100',
    'normalisation · after the outside-line prefix: rule long-distance · matched · ^(1\\d{10})$ makes +12065550100 of 12065550100',
    'destination · +12065550100 · no-match · is no number, extension or name of ours',
    'authorisation · usage local, route puget-sound · matched · ^\\+1(425|206|253)\\d{7}$ takes +12065550100',
    'selection · route puget-sound, trunk itsp-a · matched · place 1',
    'selection · route puget-sound, trunk itsp-b · matched · place 2',
    'authorisation · usage national, route north-america · matched · ^\\+1\\d{10}$ takes +12065550100',
    'selection · route north-america, trunk itsp-a · skipped · has an earlier place in the plan',
    'selection · route north-america, trunk itsp-b · skipped · has an earlier place in the plan',
    'authorisation · usage international, route world · matched · ^\\+ takes +12065550100',
    'selection · route world, trunk itsp-b · skipped · has an earlier place in the plan',
    'translation · trunk itsp-a, called · matched · rule ^\\+(.*)$: +12065550100 is sent as 12065550100',
    'translation · trunk itsp-a, calling · no-match · +14255551001 is sent as it is',
    'translation · trunk itsp-b, called · no-match · +12065550100 is sent as it is',
    'translation · trunk itsp-b, calling · no-match · +14255551001 is sent as it is',
  ])
})
test('R10: a refusal shows the route that would have taken the number', () => {
  assert.ok(
    lines('bob', '9011442079460000').includes(
      'authorisation · route world · skipped · takes +442079460000, but only for international, which policy staff does not hold',
    ),
  )
})
test('R10: a call may come from a user, a DID, an extension, a trunk or any other number', () => {
  const first = (from: string) => lines(from, '1002')[0]
  assert.match(first('alice') ?? '', /user alice · matched/)
  assert.match(first('+14255551001') ?? '', /user alice · matched/)
  assert.match(first('1001') ?? '', /user alice · matched/)
  assert.match(first('itsp-b') ?? '', /trunk itsp-b · matched/)
  assert.match(first('+442079460000') ?? '', /say on trunk itsp-a/)
  assert.match(first('mallory') ?? '', /no-match/)
})
test('R10: emergency calls show their ladder', () => {
  assert.ok(lines('carol', '911').includes('selection · trunk itsp-b · matched · rung 4: relay centre +18005550911'))
})

test('R10: the stored tests of the example pass', () => {
  const outcomes = runTests(configurationWith().tests, acme, tuesday)
  assert.deepEqual(
    outcomes.map(({ passed }) => passed),
    [true, true, true],
  )
  assert.equal(outcomes[0]?.detail, 'alice dials 9011442079460000: callee itsp-b +442079460000')
})
test('R10: a stored test that fails says what was expected and what came', () => {
  const outcomes = runTests(
    [
      { from: 'alice', dial: '912065550100', trunk: 'itsp-b', usage: 'national' },
      { from: 'bob', dial: '9011442079460000' },
      { from: 'itsp-a', dial: '14255551002', user: 'bob' },
      { from: 'alice', dial: '12', reject: 404 },
    ],
    acme,
    tuesday,
  )
  assert.deepEqual(
    outcomes.map(({ passed, detail }) => [passed, detail.split(' (')[0]]),
    [
      [false, 'alice dials 912065550100: expected usage national, got local; expected trunk itsp-b, got itsp-a'],
      [false, 'bob dials 9011442079460000: expected the call to go through, got 403'],
      [true, 'itsp-a dials 14255551002: callee bob'],
      [false, 'alice dials 12: expected reject 404, got 484'],
    ],
  )
})

test('R10: each place of the plan shows health, cost, both numbers and what is written into the INVITE', () => {
  const decks = {
    'rates/itsp-a.csv': 'prefix,name,connect,perMinute,from,to\n1206,Seattle,0,0.0060,,\n1,US,0,0.0100,,\n',
  }
  const table = compileTable(
    configurationWith(['    cost: itsp-a-minutes', '    cost: itsp-a-minutes\n    trusted: true']),
    {
      revision: 1,
      decks,
    },
  )
  const health = new Map([['itsp-a', 'down'] as const, ['itsp-b', 'up'] as const])
  const { places, emergency, localTime } = explainRoute(
    { from: 'alice', dialled: '912065550100', at: '2026-11-27T03:00:00-08:00' },
    table,
    tuesday,
    { health },
  )
  const common = {
    branch: 0,
    role: 'callee',
    delayMs: 0,
    route: 'puget-sound',
    usage: 'local',
    calling: '+14255551001',
  }
  assert.equal(emergency, false)
  assert.equal(localTime, 'Friday, 27 November 2026 at 03:00, America/Los_Angeles')
  assert.deepEqual(places, [
    {
      ...common,
      trunk: 'itsp-b',
      health: 'up',
      cost: { deck: 'itsp-b-bandwidth' },
      called: '+12065550100',
      headers: [['From', '"alice" <sip:+14255551001@acme.example>']],
    },
    {
      ...common,
      trunk: 'itsp-a',
      health: 'down',
      cost: { deck: 'itsp-a-minutes', currency: 'USD', perMinute: '0.006' },
      called: '12065550100',
      headers: [
        ['From', '"alice" <sip:+14255551001@acme.example>'],
        ['P-Asserted-Identity', '"alice" <sip:+14255551001@acme.example>'],
      ],
    },
  ])
})
test('R10: the mobile that rings too is a branch of its own, with its own usage', () => {
  const { places } = explainRoute({ from: 'itsp-b', dialled: '+14255551001' }, acme, tuesday)
  assert.deepEqual(
    places?.map((p) => [p.branch, p.role, p.user ?? p.trunk, p.usage, p.called]),
    [
      [0, 'callee', 'alice', undefined, undefined],
      [1, 'mobile', 'itsp-a', 'local', '12065550142'],
      [1, 'mobile', 'itsp-b', 'local', '+12065550142'],
    ],
  )
})
test('R10: at another time another route', () => {
  const table = tableWith([
    'usages: [local],         trunks',
    "usages: [local], when: [{ from: '08:00', to: '18:00' }], trunks",
  ])
  const routeAt = (at: string) =>
    explainRoute({ from: 'alice', dialled: '912065550100', at }, table, tuesday).places?.[0]?.route
  assert.equal(routeAt('2026-11-27T12:00:00-08:00'), 'puget-sound')
  assert.equal(routeAt('2026-11-27T03:00:00-08:00'), 'north-america')
})
test('R9 in R10: limits are shown with the calls that are told of; an emergency call has none', () => {
  const table = tableWith([
    '    cost: itsp-a-minutes',
    '    cost: itsp-a-minutes\n    limits: { calls: 12, callsPerSecond: 2, bandwidth: 1Mbit/s }',
  ])
  const admission = (dialled: string, calls: Map<string, number>) => {
    const { places = [] } = explainRoute({ from: 'alice', dialled }, table, tuesday, { calls })
    return places.find(({ trunk }) => trunk === 'itsp-a')?.admission
  }
  const limits = { maxCalls: 12, maxCallsPerSecond: 2, maxKbps: 1000 }
  assert.deepEqual(admission('912065550100', new Map([['itsp-a', 11]])), { ...limits, calls: 11, full: false })
  assert.deepEqual(admission('912065550100', new Map([['itsp-a', 12]])), { ...limits, calls: 12, full: true })
  assert.deepEqual(admission('912065550100', new Map()), { ...limits, full: false })
  assert.equal(admission('911', new Map([['itsp-a', 12]])), undefined)
  const carried = carriedCalls()
  for (const [edge, calls] of [
    ['e1', 3],
    ['e2', 4],
    ['e1', 5],
  ] as const)
    carried.set('itsp-a', edge, calls)
  assert.equal(carried.all().get('itsp-a'), 9, 'the last word of every edge')
})
