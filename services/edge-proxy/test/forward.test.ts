/** Forwarding with phones and carriers of ours (edge.md E7, routing.md R8): the plan as the router gives it (forward.test.ts there). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RouteDecision, TrunkAttempt } from '@tandem/contracts/routing.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import { diversionsOf, historyInfo } from '../src/domain/history-info.ts'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from './call-edge.ts'

let house: CallEdge

before(async () => {
  house = await startCallEdge({ edge: { forks: 3 } as never, trunks: { 'itsp-b': { trusted: true } } })
})
after(async () => {
  await house.close()
})

const diverted = (number: string, reason: string): TrunkAttempt =>
  toTrunk('itsp-a', number, { headers: [['Diversion', `<sip:+14255551002@acme.example>;reason=${reason}`]] })

/** bob's calls: to bob, then by what happened. */
const bobs = (phones = toUser('bob')): RouteDecision =>
  plan([], {
    caller: { number: '+12065550177' },
    callee: { user: 'bob', number: '+14255551002', costCentre: 'support' },
    branches: [
      { role: 'callee', delayMs: 0, attempts: [phones] },
      {
        ...{ role: 'forward', delayMs: 400, stage: 1, follows: { stage: 0, on: ['no-answer'] } },
        attempts: [diverted('12065550161', 'no-answer')],
      },
      {
        ...{ role: 'forward', delayMs: 0, stage: 2, follows: { stage: 0, on: ['busy'] } },
        attempts: [diverted('12065550162', 'user-busy')],
      },
      {
        ...{ role: 'forward', delayMs: 0, stage: 3, follows: { stage: 0, on: ['unreachable'] } },
        attempts: [
          { ...toUser('alice'), headers: [['Diversion', '<sip:+14255551002@acme.example>;reason=unavailable']] },
        ],
      },
    ] as never,
  })

test('nobody answers in time: the phone stops ringing, the target has the call and hears whose it was', async () => {
  house.route(() => bobs())
  const call = await house.itspB.call({ from: '+12065550177', to: '+14255551002' })
  const rung = await house.bob.nextCall()
  await call.answered
  assert.equal((await rung.ended).why, 'cancelled')
  const there = await house.itspA.nextInvite((i) => i.number === '12065550161')
  assert.equal(there.request.headers.get('diversion'), '<sip:+14255551002@acme.example>;reason=no-answer', 'RFC 5806')
  // RFC 7044: the entry before, and where it goes now with the cause (RFC 4458: 408 no reply)
  assert.match(
    there.request.headers.get('history-info') ?? '',
    /^<sip:\+14255551002@acme\.example>;index=1, <sip:12065550161@127\.0\.0\.1:\d+;cause=408>;index=1\.1;mp=1$/,
  )
  await call.audio.hears(house.itspA.tone)
  await call.hangUp()
  const records = await house.ended(3)
  const forward = records.find((r) => r.role === 'forward')
  assert.equal(forward?.user, 'bob', 'he pays for it')
  assert.equal(forward?.costCentre, 'support')
  assert.equal(records.find((r) => r.party.kind === 'user')?.sipStatus, 487)
})

test('busy, or declined', async () => {
  for (const status of [486, 603]) {
    house.route(() => bobs())
    const call = await house.itspB.call({ from: '+12065550177', to: '+14255551002' })
    ;(await house.bob.nextCall()).reject(status)
    await call.answered
    const there = await house.itspA.nextInvite((i) => i.number === '12065550162')
    assert.match(there.request.headers.get('diversion') ?? '', /reason=user-busy/)
    await call.hangUp()
    await house.ended(3)
  }
})

test('no phone is registered: another user of ours gets it at once, and is the one on the phone', async () => {
  house.route(() => bobs(toUser('nobody')))
  const call = house.itspB.call({ from: '+12065550177', to: '+14255551002' })
  const rung = await house.alice.nextCall()
  assert.match(rung.invite.headers.get('diversion') ?? '', /reason=unavailable/)
  assert.match(rung.invite.headers.get('history-info') ?? '', /cause=503/)
  await rung.answer()
  await (await call).answered
  await rung.hangUp()
  const records = await house.ended(2)
  assert.equal(records.find((r) => r.party.kind === 'user')?.user, 'alice')
})

test('the caller gives up while the call is forwarded: nothing goes on', async () => {
  house.itspA.setPhone('12065550161', 'ring')
  house.route(() => bobs())
  const call = await house.itspB.call({ from: '+12065550177', to: '+14255551002' })
  call.answered.catch(() => {})
  await house.bob.nextCall()
  const there = await house.itspA.nextInvite((i) => i.number === '12065550161' && i.call !== undefined)
  await call.hangUp()
  assert.equal((await there.call?.ended)?.why, 'cancelled')
  await house.ended(3)
  assert.equal(house.calls.status().calls, 0)
})

test('routing.md R8: no more INVITEs come of one than edge.forks', async () => {
  for (const number of ['1', '2', '3', '4']) house.itspA.setPhone(`1206555017${number}`, { status: 503 })
  house.route(() => plan(['1', '2', '3', '4'].map((n) => toTrunk('itsp-a', `1206555017${n}`))))
  const call = await house.alice.call('912065550171')
  await assert.rejects(call.answered)
  const records = await house.ended(4)
  assert.equal(records.filter((r) => r.party.kind === 'trunk').length, 3)
})

const invite = (headers: [string, string][]) =>
  makeRequest({
    ...{ method: 'INVITE', uri: 'sip:+14255551002@192.0.2.1', from: '<sip:a@b>;tag=1', to: '<sip:c@d>' },
    ...{ callId: 'x', cseq: 1, headers },
  })

test('RFC 7544: History-Info is read as Diversion, the last one first, and written back in the order of time', async () => {
  const history =
    '<sip:+12065550001@a.example>;index=1, <sip:+12065550002@b.example;cause=302>;index=1.1;mp=1, <sip:+14255551002@c.example;cause=486>;index=1.1.1;mp=1.1'
  const found = diversionsOf(invite([['History-Info', history]]))
  assert.deepEqual(found, [
    '<sip:+12065550002@b.example>;reason=user-busy',
    '<sip:+12065550001@a.example>;reason=unconditional',
  ])
  const back = historyInfo(
    found.map((value) => ['Diversion', value] as const),
    'sip:+14255551002@c.example',
  )
  assert.deepEqual(back, [['History-Info', history]])
  const own = diversionsOf(
    invite([
      ['Diversion', '<sip:1@x>;reason=deflection'],
      ['History-Info', history],
    ]),
  )
  assert.deepEqual(own, ['<sip:1@x>;reason=deflection'], 'Diversion goes before')
  assert.deepEqual(
    diversionsOf(
      invite([
        ['History-Info', '<<<'],
        ['Diversion', 'nonsense <'],
      ]),
    ),
    [],
  )
  assert.deepEqual(historyInfo([['X', 'y']], 'sip:a@b'), [])
})

test('RFC 7044: what a carrier says of the way of the call is asked of the router; a phone is not believed', async () => {
  house.route(() => bobs(toUser('nobody')))
  const call = house.itspB.call({
    from: '+12065550177',
    to: '+14255551002',
    headers: [['Diversion', '<sip:+12065550100@pstn.example>;reason=no-answer']],
  })
  const rung = await house.alice.nextCall()
  rung.reject()
  await assert.rejects((await call).answered)
  assert.deepEqual(house.questions.at(-1)?.diversions, ['<sip:+12065550100@pstn.example>;reason=no-answer'])
  const own = await house.bob.call('1001', { headers: [['Diversion', '<sip:+12065550100@pstn.example>']] })
  ;(await house.alice.nextCall()).reject()
  await assert.rejects(own.answered)
  assert.equal(house.questions.at(-1)?.diversions, undefined)
})

test('RFC 7044 10.1.2, RFC 5806: a carrier that is not trusted sees numbers, no names, hosts or whoever wants privacy; a trusted one sees who', async () => {
  const headers: [string, string][] = [
    '<sip:warehouse-7@acme.example>;reason=no-answer;x-floor=3',
    '<sip:+14255551002@acme.example>;reason=user-busy',
    '<sip:+14255551003@acme.example>;reason=unconditional;privacy=full',
    '<sip:+12065550100@10.20.30.40:5062>;reason=deflection;counter=2',
  ].map((value) => ['Diversion', value])
  const seen: Record<string, string[]> = {}
  for (const itsp of [house.itspA, house.itspB]) {
    const trunk = itsp === house.itspA ? 'itsp-a' : 'itsp-b'
    house.route(() => plan([toTrunk(trunk, '12065550188', { headers })]))
    const call = await house.alice.call('912065550188')
    await call.answered
    const { request } = await itsp.nextInvite((i) => i.number === '12065550188')
    seen[trunk] = [...request.headers.getAll('diversion'), request.headers.get('history-info') ?? '']
    await call.hangUp()
  }
  assert.deepEqual(seen['itsp-a']?.slice(0, 4), [
    '<sip:anonymous@anonymous.invalid>;reason=no-answer',
    '<sip:+14255551002@acme.example>;reason=user-busy',
    '<sip:anonymous@anonymous.invalid>;reason=unconditional',
    '<sip:+12065550100@acme.example>;reason=deflection;counter=2',
  ])
  assert.deepEqual(seen['itsp-b']?.slice(0, 4), [
    '<sip:warehouse-7@acme.example>;reason=no-answer',
    '<sip:+14255551002@acme.example>;reason=user-busy',
    '<sip:+14255551003@acme.example>;reason=unconditional;privacy=full',
    '<sip:+12065550100@acme.example>;reason=deflection;counter=2',
  ])
  const [untrusted, trusted] = [seen['itsp-a']?.[4] ?? '', seen['itsp-b']?.[4] ?? '']
  assert.match(
    untrusted,
    /^<sip:\+12065550100@acme\.example>;index=1, <sip:anonymous@anonymous\.invalid;cause=487>;index=1\.1;mp=1, /,
  )
  assert.doesNotMatch(untrusted, /warehouse|10\.20\.30|14255551003|Privacy/)
  assert.match(trusted, /<sip:\+14255551003@acme\.example;cause=487\?Privacy=history>/)
})

test('RFC 7044 10.1.1: who wants no history has none of it told, whatever tongue the carrier speaks', () => {
  const history =
    '<sip:+12065550001@a.example?Privacy=history>;index=1, <sip:+12065550002@b.example;cause=302>;index=1.1'
  assert.deepEqual(diversionsOf(invite([['History-Info', history]])), [
    '<sip:+12065550001@a.example>;reason=unconditional;privacy=full',
  ])
  const wanted = [
    ['Privacy', 'id;history'] as [string, string],
    ['Diversion', '<sip:1@x>;reason=away'] as [string, string],
  ]
  assert.deepEqual(diversionsOf(invite(wanted)), ['<sip:1@x>;reason=away;privacy=full'])
})
