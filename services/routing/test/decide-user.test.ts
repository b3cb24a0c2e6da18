import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileTable } from '../src/domain/compile-table.ts'
import { decideRoute } from '../src/domain/decide-route.ts'
import { acme, ask, configurationWith, decide, from, plan, refusal, tableWith, tuesday, walk } from './acme.ts'

test('R1: digits after the outside-line prefix are normalised by the first rule that matches', () => {
  const decision = plan(decide(from.alice, '912065550100'))
  assert.equal(decision.normalised, '+12065550100')
  assert.equal(decision.rule, 'long-distance')
  assert.equal(decision.dialled, '912065550100')
})
test('R1: without the prefix the same rules run on the digits as dialled', () => {
  assert.equal(plan(decide(from.alice, '2065550100')).normalised, '+12065550100')
})
test('R1: the dial plan is that of the site where the call comes from', () => {
  assert.equal(plan(decide(from.alice, '5550100')).normalised, '+14255550100')
  assert.equal(refusal(decide({ ...from.alice, site: 'branch' }, '5550100')).status, 484)
})
test("R1: outside every site the home site's dial plan counts; a user's own goes before all", () => {
  assert.equal(plan(decide({ kind: 'user', user: 'alice' }, '5550100')).normalised, '+14255550100')
  const own = tableWith(['site: hq, policy: executive,', 'site: hq, policy: executive, dialPlan: us-branch,'])
  assert.equal(refusal(decide(from.alice, '5550100', {}, own)).status, 484)
})
test('R1: a number in E.164 needs no rule, separators are let go', () => {
  assert.equal(plan(decide(from.alice, '+1 (206) 555-0100')).normalised, '+12065550100')
})

test('R2: the first usage of the policy whose route matches wins; later usages are the failover', () => {
  const decision = plan(decide(from.alice, '912065550100'))
  assert.equal(decision.usage, 'local')
  assert.deepEqual(walk(decision), ['callee: itsp-a 12065550100, itsp-b +12065550100'])
  assert.deepEqual(
    decision.branches[0]?.attempts.map((attempt) => attempt.kind === 'trunk' && attempt.route),
    ['puget-sound', 'puget-sound'],
  )
})
test('R2: a number that only a usage outside the policy takes is 403 and says which', () => {
  const { status, reason, normalised } = refusal(decide(from.bob, '9011442079460000'))
  assert.equal(status, 403)
  assert.equal(
    reason,
    'bob may not call +442079460000: route world is for international, which policy staff does not hold.',
  )
  assert.equal(normalised, '+442079460000')
})
test('R2: a number that no route takes is 404', () => {
  const narrow = tableWith(["match: '^\\+',                     ", "match: '^\\+44',"])
  assert.equal(refusal(decide(from.alice, '9011493012345678', {}, narrow)).status, 404)
})
test('R2: what is no number after normalisation is 484, a name that nobody has 404', () => {
  assert.equal(refusal(decide(from.alice, '12')).status, 484)
  assert.equal(refusal(decide(from.alice, '')).status, 484)
  assert.equal(refusal(decide(from.alice, 'mallory')).status, 404)
})
test('R2: exceptions of a route are not taken by it', () => {
  const table = tableWith(["match: '^\\+1\\d{10}$', ", "match: '^\\+1\\d{10}$', except: ['^\\+1900'],"])
  assert.equal(refusal(decide(from.bob, '919005550100', {}, table)).status, 403)
  assert.equal(plan(decide(from.bob, '912125550100', {}, table)).usage, 'national')
})

test('R3: both numbers are translated for each trunk from the originals', () => {
  const table = tableWith(
    [
      "{ outbound: { called: [{ match: '^\\+(.*)$', to: '$1' }] } }",
      "{ outbound: { called: [{ match: '^\\+1(.*)$', to: '$1' }], calling: [{ match: '^\\+1(.*)$', to: '$1' }] } }",
    ],
    [
      '    to: ["sip:127.0.0.1:5090"]',
      "    to: [\"sip:127.0.0.1:5090\"]\n    translate: { outbound: { called: [{ match: '^\\+(.*)$', to: '00$1' }] } }",
    ],
  )
  const attempts = plan(decide(from.alice, '912065550100', {}, table)).branches[0]?.attempts
  assert.deepEqual(
    attempts?.map((a) => a.kind === 'trunk' && [a.trunk, a.called, a.calling]),
    [
      ['itsp-a', '2065550100', '4255551001'],
      ['itsp-b', '0012065550100', '+14255551001'],
    ],
  )
})
test('R3: a trunk has one place in the plan, its first', () => {
  const trunks = plan(decide(from.alice, '912065550100')).branches[0]?.attempts.map(
    (a) => a.kind === 'trunk' && a.trunk,
  )
  assert.deepEqual(trunks, ['itsp-a', 'itsp-b'])
})
test('R3: routes of one usage go by priority before the order of the file', () => {
  const table = tableWith(
    ['usages: [local],         trunks: [itsp-a, itsp-b] }', 'usages: [local], trunks: [itsp-a], priority: 2 }'],
    [
      'usages: [national],      trunks: [itsp-a, itsp-b] }',
      'usages: [local, national], trunks: [itsp-b], priority: 1 }',
    ],
  )
  assert.deepEqual(walk(decide(from.alice, '912065550100', {}, table)), [
    'callee: itsp-b +12065550100, itsp-a 12065550100',
  ])
})
test('R3: equal priority shares the calls by weight, and one call always gets the same plan', () => {
  const table = tableWith(
    ['usages: [local],         trunks: [itsp-a, itsp-b] }', 'usages: [local], trunks: [itsp-a], weight: 3 }'],
    ['usages: [national],      trunks: [itsp-a, itsp-b] }', 'usages: [local, national], trunks: [itsp-b], weight: 1 }'],
  )
  const first = (callId: string) => walk(decide(from.alice, '912065550100', { callId }, table))[0]?.slice(8, 14)
  const begun = Array.from({ length: 2000 }, (_, n) => first(`call-${n}`)).filter((trunk) => trunk === 'itsp-a').length
  assert.ok(begun > 1350 && begun < 1650, `${begun} of 2000 begin with the trunk of weight 3`)
  assert.equal(first('call-5'), first('call-5'))
})
test('R3: select cost puts the trunk first that charges least for this number; one without a price is last', () => {
  const changes = [
    ['trunks: [itsp-b], select: cost', 'trunks: [itsp-a, itsp-b], select: cost'],
    ['cost: itsp-b-bandwidth', 'cost: itsp-b-minutes'],
    [
      '  itsp-b-bandwidth: {',
      '  itsp-b-minutes: { kind: per-minute, currency: USD, file: b.csv }\n  itsp-b-bandwidth: {',
    ],
  ] as const
  const header = 'prefix,name,connect,perMinute,from,to\n'
  const decks = {
    'rates/itsp-a.csv': `${header}44,"UK, all",0,0.02,2024-01-01,\n4420,London,0,0.001,2024-01-01,2025-01-01\n49,Germany,0,0.01,,\n`,
    'b.csv': `${header}44,UK,0,0.03,2024-01-01,\n4420,London,0,0.01,2026-01-01,\n`,
  }
  const table = compileTable(configurationWith(...changes), { revision: 1, decks })
  assert.match(walk(decide(from.alice, '9011442079460000', {}, table))[0] ?? '', /^callee: itsp-b .*, itsp-a/, 'London')
  assert.match(
    walk(decide(from.alice, '9011441619460000', {}, table))[0] ?? '',
    /^callee: itsp-a .*, itsp-b/,
    'elsewhere',
  )
  assert.match(
    walk(decide(from.alice, '9011493012345678', {}, table))[0] ?? '',
    /^callee: itsp-a .*, itsp-b/,
    'no price',
  )
})
test('R3: a bandwidth deck has no cost for one more call', () => {
  const table = tableWith(['trunks: [itsp-b], select: cost', 'trunks: [itsp-a, itsp-b], select: cost'])
  assert.match(walk(decide(from.alice, '9011442079460000', {}, table))[0] ?? '', /^callee: itsp-b/)
})
test('R3: a route with hours is used only then, in the time zone of the enterprise', () => {
  const table = tableWith([
    'trunks: [itsp-b], select: cost',
    "trunks: [itsp-b], when: [{ days: [mon, tue, wed, thu, fri], from: '08:00', to: '18:00' }]",
  ])
  const at = (time: string) => decideRoute(ask(from.alice, '9011442079460000'), table, Date.parse(time))
  assert.equal(at('2026-03-10T17:00:00Z').kind, 'route')
  assert.equal(refusal(at('2026-03-11T03:00:00Z')).status, 403)
  assert.equal(refusal(at('2026-03-14T17:00:00Z')).status, 403)
})
test('R3: a trunk that is down keeps a place at the end', () => {
  const decision = decideRoute(ask(from.alice, '912065550100'), acme, tuesday, { down: new Set(['itsp-a']) })
  assert.deepEqual(walk(decision), ['callee: itsp-b +12065550100, itsp-a 12065550100'])
})

test('R4: every attempt carries its own retry set and timers', () => {
  const table = tableWith([
    '    emergency: true\n    cost: itsp-b-bandwidth',
    '    emergency: true\n    retry: [503]\n    timers: { noResponse: 3s, tryingOnly: 6s }',
  ])
  const attempts = plan(decide(from.alice, '912065550100', {}, table)).branches[0]?.attempts
  assert.deepEqual(
    attempts?.map((a) => a.kind === 'trunk' && [a.retry, a.noResponseMs, a.onlyTryingMs]),
    [
      [[408, 500, 502, 503, 504], 4000, 10_000],
      [[503], 3000, 6000],
    ],
  )
})
test('R4: busy, decline and cancel are in no default retry set', () => {
  for (const attempt of plan(decide(from.alice, '912065550100')).branches[0]?.attempts ?? []) {
    assert.ok(attempt.kind === 'trunk')
    for (const final of [486, 487, 600, 603]) assert.ok(!attempt.retry.includes(final))
  }
})

test('a user calls a user by extension, by DID and by name, and it stays in the house', () => {
  for (const dialled of ['1002', '+14255551002', '4255551002', '94255551002', 'bob']) {
    const decision = plan(decide(from.alice, dialled))
    assert.deepEqual(walk(decision), ['callee: bob'], dialled)
    assert.equal(decision.callee.user, 'bob')
    assert.equal(decision.caller.costCentre, 'sales')
    assert.equal(decision.usage, undefined)
  }
})
test('an extension without a DID is reached from the same site and, when nobody else has it, from others', () => {
  assert.deepEqual(walk(decide(from.carol, '1003')), ['callee: carol'])
  assert.deepEqual(walk(decide(from.alice, '1003')), ['callee: carol'])
})
test('R8: the mobile rings with the phones, by the ring usages of the user who is called', () => {
  const decision = plan(decide(from.bob, '1001'))
  assert.deepEqual(walk(decision), ['callee: alice', 'mobile: itsp-a 12065550142, itsp-b +12065550142'])
  const [attempt] = decision.branches[1]?.attempts ?? []
  assert.ok(attempt?.kind === 'trunk')
  assert.equal(attempt.calling, '+14255551002')
  assert.deepEqual(attempt.headers, [['Diversion', '<sip:+14255551001@acme.example>;reason=follow-me']])
})
test('R8: forwarding goes by the forward usages of the user who forwards', () => {
  const forwarding = (target: string) =>
    tableWith([
      'policy: staff, costCentre: support,',
      `policy: staff, costCentre: support, forward: { always: "${target}" },`,
    ])
  assert.deepEqual(walk(decide(from.alice, '1002', {}, forwarding('2065550177'))), [
    'forward: itsp-a 12065550177, itsp-b +12065550177',
  ])
  assert.equal(refusal(decide(from.alice, '1002', {}, forwarding('2125550177'))).status, 403)
  assert.deepEqual(walk(decide(from.carol, '1002', {}, forwarding('carol'))), ['callee: carol'])
})
test('R8: users who forward to each other end in 482', () => {
  const table = tableWith(
    ['policy: staff, costCentre: support,', 'policy: staff, costCentre: support, forward: { always: alice },'],
    ['policy: executive, mobile', 'policy: executive, forward: { always: bob }, mobile'],
  )
  const { status, reason } = refusal(decide(from.carol, '1002', {}, table))
  assert.equal(status, 482)
  assert.equal(reason, 'Calls to bob are forwarded in a circle (bob → alice).')
})
test('R8: when nobody answers, the call goes on after the time set', () => {
  const table = tableWith([
    'policy: staff, costCentre: support,',
    'policy: staff, costCentre: support, forward: { noAnswer: carol, after: 15s },',
  ])
  const [phones, next] = plan(decide(from.alice, '1002', {}, table)).branches
  assert.deepEqual(phones?.attempts, [{ kind: 'user', user: 'bob', ringMs: 15_000 }])
  assert.equal(next?.delayMs, 15_000)
})
test('R8: a call that a user passes on counts as a forwarded one', () => {
  assert.equal(refusal(decide(from.alice, '912125550100', { onBehalfOf: 'bob' })).status, 403)
  assert.equal(plan(decide(from.alice, '912065550100', { onBehalfOf: 'bob' })).usage, 'local')
})
test('a number that a carrier redirects to is read as that carrier writes it, and the caller must be allowed to call it', () => {
  const french = tableWith(['    from: ["127.0.0.1:5090"]', '    from: ["127.0.0.1:5090"]\n    country: FR'])
  const decision = plan(decide(from.alice, '0142685300', { redirectedBy: 'itsp-b' }, french))
  assert.equal(decision.normalised, '+33142685300')
  assert.equal(plan(decide(from.alice, '442079460000', { redirectedBy: 'itsp-b' })).normalised, '+442079460000')
  assert.equal(refusal(decide(from.bob, '442079460000', { redirectedBy: 'itsp-b' })).status, 403)
  assert.equal(plan(decide(from.alice, '+14255551002', { redirectedBy: 'itsp-a' })).callee.user, 'bob')
})
test('R8: without hops left a call ends in 483', () => {
  assert.equal(refusal(decide(from.alice, '912065550100', { maxForwards: 0 })).status, 483)
  assert.equal(decide(from.alice, '912065550100', { maxForwards: 1 }).kind, 'route')
})

test('R6: the PSTN sees the DID, another number where one is set, or nobody', () => {
  const calling = (table = acme, more = {}) => {
    const [attempt] = plan(decide(from.bob, '912065550100', more, table)).branches[0]?.attempts ?? []
    return attempt?.kind === 'trunk' ? [attempt.calling, attempt.displayName, attempt.headers] : undefined
  }
  assert.deepEqual(calling(), ['+14255551002', 'bob', undefined])
  const main = tableWith([
    'policy: staff, costCentre: support,',
    'policy: staff, costCentre: support, callerId: "+14255551000",',
  ])
  assert.deepEqual(calling(main), ['+14255551000', 'bob', undefined])
  const hidden = ['anonymous', 'Anonymous', [['Privacy', 'id']]]
  assert.deepEqual(
    calling(tableWith(['ring: [local, national] }', 'ring: [local, national], callerId: suppress }'])),
    hidden,
  )
  assert.deepEqual(calling(acme, { privacy: true }), hidden)
})

test('who is not known is refused', () => {
  assert.equal(refusal(decide({ kind: 'user', user: 'mallory' }, '1001')).status, 403)
  assert.equal(refusal(decide(from.stranger, '1001')).status, 403)
})
test('every decision names the revision that made it', () => {
  assert.equal(decide(from.alice, '1002').revision, 7)
  assert.equal(decide(from.alice, '12').revision, 7)
})
