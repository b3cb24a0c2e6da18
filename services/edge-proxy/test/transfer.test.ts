/** Transfers with phones and carriers of ours (RFC 3515, 3891, 5589; edge.md E7, docs/adr/0060). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { LegRecord } from '@tandem/contracts/call.ts'
import type { RouteDecision, RouteQuestion } from '@tandem/contracts/routing.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { type CallEdge, plan, reject, startCallEdge, toTrunk, toUser } from './call-edge.ts'

let house: CallEdge

before(async () => {
  house = await startCallEdge({ trunks: { 'itsp-b': { transfer: 'act' } } })
})
after(async () => {
  await house.close()
})

/** 1001 alice, 1002 bob, anything else by carrier A; 403 for 900. */
function decide(question: RouteQuestion): RouteDecision {
  const { dialled } = question
  const caller = question.source.kind === 'user' ? {} : { caller: { number: question.from.number } }
  if (dialled === '1001' || dialled === '+14255551001')
    return plan([toUser('alice')], {
      dialled,
      ...caller,
      callee: { user: 'alice', number: '+14255551001', costCentre: 'sales' },
    })
  if (dialled === '1002')
    return plan([toUser('bob')], { dialled, ...caller, callee: { user: 'bob', number: '+14255551002' } })
  if (dialled.startsWith('900')) return reject(403, 'not that one')
  return plan([toTrunk('itsp-a', dialled, { calling: question.from.number })], {
    dialled,
    ...caller,
    normalised: `+${dialled}`,
    callee: { number: `+${dialled}` },
  })
}

/** Both know it: the ACK has come. */
async function up(caller: Promise<CallHandle> | CallHandle, ringing?: Promise<CallHandle>): Promise<CallHandle[]> {
  const call = await caller
  const rung = await ringing
  if (rung) await rung.answer()
  await call.answered
  return rung ? [call, rung] : [call]
}

const recordsOf = (party: string, records: readonly LegRecord[]) =>
  records.filter(
    (r) => (r.party.kind === 'user' ? r.party.user : r.party.kind === 'trunk' ? r.party.trunk : '') === party,
  )

/** Waits until so many records are there that satisfy it. */
async function recorded(count: number, which: (record: LegRecord) => boolean): Promise<LegRecord[]> {
  for (let i = 0; i < 500; i++) {
    const found = house.records.filter(which)
    if (found.length >= count) return found
    await new Promise((done) => setTimeout(done, 20))
  }
  throw new Error(`only ${house.records.filter(which).length} of ${count} records`)
}

test('RFC 5589 7.1: bob sends his caller from the PSTN on to the mobile of a colleague (blind)', async () => {
  house.route(decide)
  const [pstn, bob] = (await up(house.itspB.call({ from: '+12065550177', to: '1002' }), house.bob.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  assert.equal((await bob.transfer('sip:12065550190@acme.example')).status, 202)
  assert.equal(await bob.transferred(), 200)
  assert.deepEqual(bob.progress.slice(0, 1), [100], 'RFC 3515 2.4.4: an immediate NOTIFY')
  const question = house.questions.at(-1)
  assert.equal(question?.onBehalfOf, 'bob', "with the transferor's authority")
  assert.equal(question?.from.number, '+12065550177', 'whoever is transferred is shown')
  const there = await house.itspA.nextInvite((i) => i.number === '12065550190')
  assert.match(there.request.headers.get('referred-by') ?? '', /^<sip:.*@acme\.example>$/, 'RFC 3892')
  await pstn.audio.hears(house.itspA.tone)
  await there.call?.audio.hears(house.itspB.tone)
  assert.equal((await bob.ended).by, 'peer', 'RFC 5589 7.1: his call ends once he knows')
  await pstn.hangUp()
  await there.call?.ended
  const id = question?.callId
  const records = await recorded(3, (r) => r.callId === id)
  assert.equal(records.length, 3)
  const [caller] = recordsOf('itsp-b', records)
  const [left] = recordsOf('bob', records)
  const [got] = recordsOf('itsp-a', records)
  assert.equal(left?.reason, 'transferred')
  assert.equal(left?.endedBy, 'tandem')
  assert.equal(got?.referredBy, 'user:bob')
  assert.equal(got?.from, '+12065550177')
  assert.equal(got?.sent, '12065550190')
  assert.equal(got?.endedBy, 'caller')
  assert.equal(caller?.endedBy, 'caller')
  assert.ok(
    (caller?.durationMs ?? 0) > (left?.durationMs ?? 0),
    'the one who was transferred has one record of all of it',
  )
  assert.ok((caller?.durationMs ?? 0) > (got?.durationMs ?? 0))
  assert.equal(house.calls.status().calls, 0)
})

test('alice transfers the one she called: two legs that were called talk, and one hangs up', async () => {
  house.route(decide)
  const [alice] = (await up(house.alice.call('12065550180'))) as [CallHandle]
  const there = (await house.itspA.nextInvite((i) => i.number === '12065550180' && i.call !== undefined)).call
  await alice.hold()
  const ringing = house.bob.nextCall()
  assert.equal((await alice.transfer('sip:1002@acme.example')).status, 202)
  const bob = await ringing
  await bob.answer()
  assert.equal(await alice.transferred(), 200)
  await bob.audio.hears(house.itspA.tone)
  await there?.audio.hears(house.bob.tone)
  assert.equal(there?.held, false, 'the hold before the transfer is over')
  await bob.hangUp()
  assert.equal((await there?.ended)?.by, 'peer')
  const records = await recorded(3, (r) => r.callId === house.questions.at(-1)?.callId)
  assert.deepEqual(
    ['alice', 'itsp-a', 'bob'].map((party) => recordsOf(party, records)[0]?.endedBy),
    ['tandem', 'caller', 'callee'],
  )
})

test('RFC 5589 7.2: alice has asked bob, then joins him with her caller (attended)', async () => {
  house.route(decide)
  const [pstn, first] = (await up(house.itspB.call({ from: '+12065550177', to: '1001' }), house.alice.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  const one = house.questions.at(-1)?.callId as string
  await first.hold()
  const [second, bob] = (await up(house.alice.call('1002'), house.bob.nextCall())) as [CallHandle, CallHandle]
  const two = house.questions.at(-1)?.callId as string
  await second.audio.hears(house.bob.tone)
  const asked = house.questions.length
  assert.equal((await first.transfer('sip:bob@acme.example', { instead: second })).status, 202)
  assert.equal(await first.transferred(), 200)
  assert.equal(house.questions.length, asked, 'nobody is asked: both calls are there')
  await pstn.audio.hears(house.bob.tone)
  await bob.audio.hears(house.itspB.tone)
  await first.ended
  await second.ended
  assert.equal(bob.state, 'established')
  assert.equal(house.calls.status().calls, 1)
  assert.equal(house.calls.hangUp(two), true, 'an operator finds it under either name')
  await Promise.all([pstn.ended, bob.ended])
  const records = await recorded(4, (r) => r.callId === one || r.callId === two)
  assert.deepEqual(
    records
      .map((r) => [r.callId === one ? 1 : 2, r.role, r.joined === undefined ? 0 : r.joined === one ? 1 : 2, r.reason])
      .sort(),
    [
      [1, 'callee', 2, 'transferred'],
      [1, 'caller', 2, 'ended by an operator'],
      [2, 'callee', 1, 'ended by an operator'],
      [2, 'caller', 1, 'transferred'],
    ],
  )
  assert.equal(new Set(records.map((r) => r.legId)).size, 4, 'each leg has one')
  assert.equal(house.calls.status().calls, 0)
})

test('RFC 5589 7.6: the consultation still rings: it ends, the target rings for the caller, and all three have one record a leg', async () => {
  house.route(decide)
  const [pstn, first] = (await up(house.itspB.call({ from: '+12065550177', to: '1001' }), house.alice.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  await first.hold()
  const second = await house.alice.call('1002')
  const asked = await house.bob.nextCall()
  await second.ringing
  const two = house.questions.at(-1)?.callId
  assert.equal((await first.transfer('sip:1002@acme.example', { instead: second })).status, 202)
  await assert.rejects(second.answered, /487/)
  assert.equal((await asked.ended).why, 'cancelled')
  const bob = await house.bob.nextCall()
  await bob.answer()
  assert.equal(await first.transferred(), 200)
  await Promise.all([pstn.audio.hears(house.bob.tone), bob.audio.hears(house.itspB.tone)])
  await first.ended
  await pstn.hangUp()
  await bob.ended
  const one = house.questions.at(-1)?.callId
  const records = await recorded(5, (r) => r.callId === one || r.callId === two)
  assert.equal(new Set(records.map((r) => r.legId)).size, 5)
  assert.deepEqual(
    records.filter((r) => r.callId === two).map((r) => r.sipStatus),
    [487, 487],
  )
})

test('RFC 5589 7.6: a phone that cancels its consultation first transfers blind; a Replaces of what is gone is 481', async () => {
  house.route(decide)
  const [pstn, first] = (await up(house.itspB.call({ from: '+12065550177', to: '1001' }), house.alice.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  const second = await house.alice.call('1002')
  await house.bob.nextCall()
  await second.ringing
  await second.hangUp()
  assert.equal((await first.transfer('sip:1002@acme.example', { instead: second })).status, 202)
  await recordedUntil(() => first.progress.at(-1) === 481)
  await pstn.audio.hears(house.alice.tone)
  const ringing = house.bob.nextCall()
  await first.transfer('sip:1002@acme.example')
  await (await ringing).answer()
  await recordedUntil(() => first.progress.at(-1) === 200)
  await pstn.audio.hears(house.bob.tone)
  await pstn.hangUp()
})

test('a target that is busy: the transferor hears it and has his call again', async () => {
  house.route(decide)
  house.itspA.setPhone('12065550191', 'busy')
  const [pstn, bob] = (await up(house.itspB.call({ from: '+12065550177', to: '1002' }), house.bob.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  await bob.transfer('sip:12065550191@acme.example')
  assert.equal(await bob.transferred(), 486)
  assert.equal(bob.state, 'established')
  await pstn.audio.hears(house.bob.tone)
  await bob.audio.hears(house.itspB.tone)
  // RFC 3515 2.4.6: the second REFER of a dialog has an id
  await bob.transfer('sip:9001@acme.example')
  await recordedUntil(() => bob.progress.at(-1) === 403)
  const last = bob.requests.filter((r) => r.method === 'NOTIFY').at(-1)
  assert.match(last?.headers.get('event') ?? '', /^refer;id=\d+$/)
  assert.equal(last?.headers.get('subscription-state'), 'terminated;reason=noresource')
  await bob.hangUp()
  await pstn.ended
})

async function recordedUntil(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((done) => setTimeout(done, 20))
  assert.ok(condition())
}

test('the transferor hangs up at once; the transfer goes on without him', async () => {
  house.route(decide)
  const [pstn, bob] = (await up(house.itspB.call({ from: '+12065550177', to: '1002' }), house.bob.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  house.itspA.setPhone('12065550192', { kind: 'answer', answerAfterMs: 600 })
  await bob.transfer('sip:12065550192@acme.example')
  await bob.hangUp()
  assert.equal(await bob.transferred(), 200, 'RFC 5057: NOTIFYs come after the BYE too')
  await pstn.audio.hears(house.itspA.tone)
  await pstn.hangUp()
  const records = await recorded(3, (r) => r.callId === house.questions.at(-1)?.callId)
  assert.equal(recordsOf('bob', records)[0]?.endedBy, 'callee')
})

test('RFC 4488: Refer-Sub: false means no NOTIFY', async () => {
  house.route(decide)
  const [pstn, bob] = (await up(house.itspB.call({ from: '+12065550177', to: '1002' }), house.bob.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  const answer = await bob.transfer('sip:12065550193@acme.example', { headers: [['Refer-Sub', 'false']] })
  assert.equal(answer.headers.get('refer-sub'), 'false')
  await bob.ended
  assert.deepEqual(bob.progress, [])
  await pstn.audio.hears(house.itspA.tone)
  await pstn.hangUp()
})

test('the caller hangs up while the target rings: everything ends', async () => {
  house.route(decide)
  house.itspA.setPhone('12065550194', 'ring')
  const [pstn, bob] = (await up(house.itspB.call({ from: '+12065550177', to: '1002' }), house.bob.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  await bob.transfer('sip:12065550194@acme.example')
  await recordedUntil(() => bob.progress.includes(180))
  const there = await house.itspA.nextInvite((i) => i.number === '12065550194' && i.call !== undefined)
  await pstn.hangUp()
  assert.equal((await there.call?.ended)?.why, 'cancelled')
  await bob.ended
  const records = await recorded(3, (r) => r.callId === house.questions.at(-1)?.callId)
  assert.equal(recordsOf('itsp-a', records)[0]?.sipStatus, 487)
  assert.equal(house.calls.status().calls, 0)
})

test('a carrier whose transfers are refused (the default) gets 603, one that may gets it done', async () => {
  house.route(decide)
  const [alice] = (await up(house.alice.call('12065550195'))) as [CallHandle]
  const there = (await house.itspA.nextInvite((i) => i.number === '12065550195' && i.call !== undefined)).call
  assert.equal((await there?.transfer('sip:1002@acme.example'))?.status, 603)
  assert.equal(alice.state, 'established')
  await alice.hangUp()
  const [pstn, first] = (await up(house.itspB.call({ from: '+12065550177', to: '1001' }), house.alice.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  const ringing = house.bob.nextCall()
  assert.equal((await pstn.transfer('sip:1002@acme.example')).status, 202)
  await (await ringing).answer()
  assert.equal(await pstn.transferred(), 200)
  assert.deepEqual(house.questions.at(-1)?.source, { kind: 'trunk', trunk: 'itsp-b' })
  assert.equal(house.questions.at(-1)?.onBehalfOf, undefined)
  await first.audio.hears(house.bob.tone)
  await first.hangUp()
})

test('RFC 3891 3: an INVITE with a Replaces of no dialog of ours is 481, with that of another user 403', async () => {
  house.route(decide)
  const stray = await house.alice.call('1002', { headers: [['Replaces', 'nobody;to-tag=1;from-tag=2']] })
  await assert.rejects(stray.answered, /481/)
  const two = await house.alice.call('1002', { headers: [['Replaces', 'nobody;to-tag=1']] })
  await assert.rejects(two.answered, /400/)
  const [pstn, bob] = (await up(house.itspB.call({ from: '+12065550177', to: '1002' }), house.bob.nextCall())) as [
    CallHandle,
    CallHandle,
  ]
  const of = (call: CallHandle) => `${call.callId};to-tag=${call.dialog?.remoteTag};from-tag=${call.dialog?.localTag}`
  const theft = await house.alice.call('1002', { headers: [['Replaces', of(bob)]] })
  await assert.rejects(theft.answered, /403/)
  const early = await house.bob.call('1002', { headers: [['Replaces', `${of(bob)};early-only`]] })
  await assert.rejects(early.answered, /486/)
  await pstn.audio.hears(house.bob.tone)
  // bob's other phone takes the call over
  const taken = await house.bob.call('1002', { headers: [['Replaces', of(bob)]] })
  await taken.answered
  assert.equal((await bob.ended).by, 'peer')
  await pstn.audio.hears(house.bob.tone)
  await taken.audio.hears(house.itspB.tone)
  await pstn.hangUp()
  await taken.ended
  const records = await recorded(3, (r) => r.callId === house.questions.at(-1)?.callId)
  assert.deepEqual(
    records.map((r) => [r.role, r.reason, r.sipStatus]).filter(([, reason]) => reason === 'replaced'),
    [['callee', 'replaced', 200]],
  )
})

test('RFC 6881 ED-66, SP-37: nobody takes the caller away from the PSAP but the PSAP itself', async () => {
  house.locate({
    kind: 'found',
    place: { ref: 'hq-2-201', civic: { country: 'US', A1: 'WA', RD: '36th', ROOM: '201' } },
    source: 'port',
    confidence: 1,
    determinedAt: '2026-01-01T00:00:00.000Z',
    routeClass: 'direct',
    user: 'alice',
    callback: '+14255551001',
  })
  house.route(() => undefined)
  const [alice] = (await up(house.alice.call('911'))) as [CallHandle]
  const psap = (await house.itspA.nextInvite((i) => i.number === '911' && i.call !== undefined)).call as CallHandle
  assert.equal((await alice.transfer('sip:1002@acme.example')).status, 603)
  // another call of hers cannot be put in its place either
  house.route(decide)
  const [second, bob] = (await up(house.alice.call('1002'), house.bob.nextCall())) as [CallHandle, CallHandle]
  await second.transfer('sip:911@acme.example', { instead: alice })
  assert.equal(await second.transferred(), 603)
  await second.transfer('sip:911@acme.example')
  await recordedUntil(() => second.progress.at(-1) === 403)
  await second.hangUp()
  await bob.ended
  await alice.audio.hears(house.itspA.tone)
  // the PSAP sends its caller on: over the same trunk, with the place, and no router is asked
  const asked = house.questions.length
  assert.equal((await psap.transfer('sip:+12065550911@psap.example')).status, 202)
  assert.equal(await psap.transferred(), 200)
  assert.equal(house.questions.length, asked)
  const next = await house.itspA.nextInvite((i) => i.number === '+12065550911' && i.call !== undefined)
  assert.match(next.request.headers.get('content-type') ?? '', /multipart/, 'the place goes along')
  assert.ok(next.request.headers.has('geolocation'))
  await psap.ended
  assert.equal(alice.state, 'established')
  await next.call?.audio.hears(house.alice.tone)
  await alice.hangUp()
  await next.call?.ended
})

test('a REFER outside a call is declined', async () => {
  assert.equal((await house.alice.send('REFER', '1002', undefined, [['Refer-To', '<sip:1@acme.example>']])).status, 603)
})

test('after all that nothing is left', () => {
  const { calls, legs } = house.calls.status()
  assert.deepEqual({ calls, legs }, { calls: 0, legs: 0 })
})
