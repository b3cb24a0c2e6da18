import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type CallEdge, plan, reject, startCallEdge, toTrunk, toUser } from './call-edge.ts'

let house: CallEdge

before(async () => {
  house = await startCallEdge()
})
after(async () => {
  await house.close()
})

test('a user calls the PSTN: audio both ways, the user hangs up, two records', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const call = await house.alice.call('912065550100')
  await call.answered
  const invite = await house.itspA.nextInvite((i) => i.call !== undefined)
  assert.equal(invite.number, '12065550100')
  assert.equal(invite.from, '+14255551001')
  await call.audio.hears(house.itspA.tone)
  await invite.call?.audio.hears(house.alice.tone)
  await call.hangUp()
  const end = await invite.call?.ended
  assert.equal(end?.why, 'hung-up')
  const records = await house.ended(2)
  const caller = records.find((r) => r.role === 'caller')
  const trunk = records.find((r) => r.party.kind === 'trunk')
  assert.equal(caller?.user, 'alice')
  assert.equal(caller?.to, '+12065550100')
  assert.equal(caller?.endedBy, 'caller')
  assert.equal(trunk?.costCentre, 'sales')
  assert.equal(trunk?.sipStatus, 200)
  assert.equal(trunk?.q850, 16)
  assert.equal(trunk?.codec, 'PCMU')
  assert.ok((trunk?.durationMs ?? 0) > 0)
  assert.ok((trunk?.media?.received.packets ?? 0) > 3)
  assert.ok((trunk?.media?.sent.packets ?? 0) > 3)
  // 160 bytes of PCMU, 12 of RTP, 28 of UDP and IPv4
  assert.equal(trunk?.media?.received.bytes, (trunk?.media?.received.packets ?? 0) * 200)
  assert.equal(house.calls.status().calls, 0)
})

test('the PSTN calls a user: the phone rings and answers, the PSTN hangs up', async () => {
  house.route(() =>
    plan([toUser('alice')], {
      dialled: '14255551001',
      normalised: '+14255551001',
      caller: { number: '+12065550177' },
      callee: { user: 'alice', number: '+14255551001', costCentre: 'sales', site: 'hq' },
    }),
  )
  const call = house.itspA.call({ from: '+12065550177', to: '+14255551001', name: 'Carol' })
  const rung = await house.alice.nextCall()
  assert.match(rung.peer, /\+12065550177@acme\.example/)
  await rung.answer()
  const outside = await call
  await outside.answered
  assert.equal(await outside.ringing, 180)
  await outside.audio.hears(house.alice.tone)
  await rung.audio.hears(house.itspA.tone)
  await outside.hangUp()
  await rung.ended
  const records = await house.ended(2)
  const callee = records.find((r) => r.role === 'callee')
  assert.equal(callee?.user, 'alice')
  assert.equal(callee?.endedBy, 'caller')
  assert.equal(records.find((r) => r.role === 'caller')?.party.kind, 'trunk')
})

test('nothing of one side is seen on the other', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const call = await house.alice.call('912065550100', {
    headers: [
      ['X-Secret', 'inside'],
      ['Subject', 'lunch'],
    ],
  })
  await call.answered
  const invite = await house.itspA.nextInvite((i) => i.call !== undefined)
  const { request, body } = invite
  const text = [...request.headers.entries()].map(([name, value]) => `${name}: ${value}`).join('\n')
  assert.ok(!text.includes(String(house.alice.port)), 'the port of the phone is nowhere')
  assert.ok(!text.includes(call.callId), 'nor its Call-ID')
  assert.ok(!text.includes('X-Secret'), 'nor a header that is not on the list')
  assert.equal(request.headers.get('subject'), 'lunch')
  assert.equal(request.headers.get('max-forwards'), '69')
  assert.equal(request.headers.getAll('via').length, 1)
  assert.ok(!body.includes(`m=audio ${call.audio.port} `))
  await call.hangUp()
})

test('the caller gives up while it rings: CANCEL, 487, records of both legs', async () => {
  house.itspA.setPhone('12065550101', 'ring')
  house.route(() => plan([toTrunk('itsp-a', '12065550101')]))
  const call = await house.alice.call('912065550101')
  call.answered.catch(() => {})
  await call.ringing
  const invite = await house.itspA.nextInvite((i) => i.call !== undefined)
  await call.hangUp()
  assert.equal((await call.ended).why, 'cancelled')
  assert.equal((await invite.call?.ended)?.why, 'cancelled')
  const records = await house.ended(2)
  assert.deepEqual(
    records.map((r) => [r.sipStatus, r.endedBy, r.durationMs]),
    [
      [487, 'caller', 0],
      [487, 'caller', 0],
    ],
  )
})

test('busy is told to the caller, and no other trunk is tried', async () => {
  const before = house.itspB.received.length
  house.itspA.setPhone('12065550102', 'busy')
  house.route(() => plan([toTrunk('itsp-a', '12065550102'), toTrunk('itsp-b', '12065550102')]))
  const call = await house.alice.call('912065550102')
  await assert.rejects(call.answered, /486/)
  assert.equal(house.itspB.received.length, before)
})

test('a 503 of one trunk sends the call over the next one', async () => {
  house.itspA.setPhone('12065550103', { status: 503 })
  house.route(() => plan([toTrunk('itsp-a', '12065550103'), toTrunk('itsp-b', '12065550103')]))
  const call = await house.alice.call('912065550103')
  await call.answered
  const b = await house.itspB.nextInvite((i) => i.number === '12065550103')
  const a = await house.itspA.nextInvite((i) => i.number === '12065550103')
  assert.notEqual(a.request.headers.get('call-id'), b.request.headers.get('call-id'), 'a fresh Call-ID per attempt')
  await call.hangUp()
  const records = await house.ended(3)
  const failed = records.find((r) => r.sipStatus === 503)
  assert.equal(failed?.attempt, 1)
  assert.equal(failed?.q850, 41)
  assert.equal(records.find((r) => r.party.kind === 'trunk' && r.sipStatus === 200)?.attempt, 2)
})

test('a silent trunk is given up in time and the call goes on', async () => {
  house.itspA.setPhone('12065550104', 'silent')
  house.route(() => plan([toTrunk('itsp-a', '12065550104', { noResponseMs: 300 }), toTrunk('itsp-b', '12065550104')]))
  const call = await house.alice.call('912065550104')
  await call.answered
  await call.hangUp()
  const records = await house.ended(3)
  assert.equal(records.find((r) => r.sipStatus === 408)?.q850, 102)
})

test('early media is heard before the answer', async () => {
  house.itspA.setPhone('12065550105', { kind: 'answer', earlyMedia: true, answerAfterMs: 1500 })
  house.route(() => plan([toTrunk('itsp-a', '12065550105')]))
  const call = await house.alice.call('912065550105')
  assert.equal(await call.ringing, 183)
  await call.audio.hears(house.itspA.tone)
  assert.equal(call.state, 'calling')
  await call.answered
  await call.hangUp()
})

test('hold and resume from either side', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const call = await house.alice.call('912065550100')
  await call.answered
  const far = (await house.itspA.nextInvite((i) => i.number === '12065550100' && i.call?.state === 'established')).call
  assert.ok(far)
  assert.equal(await call.hold(), 200)
  assert.equal(far.held, true)
  assert.equal(await call.resume(), 200)
  assert.equal(far.held, false)
  assert.equal(await far.hold(), 200)
  assert.equal(call.held, true)
  assert.equal(await far.resume(), 200)
  await call.audio.hears(house.itspA.tone)
  assert.equal((await call.send('INFO', 'Signal=5\r\n', 'application/dtmf-relay')).status, 200)
  await far.hangUp()
  assert.equal((await call.ended).by, 'peer')
})

test('both sides hold at once: 491, and the call goes on', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const call = await house.alice.call('912065550100')
  await call.answered
  const far = (await house.itspA.nextInvite((i) => i.call?.state === 'established')).call
  const statuses = await Promise.all([call.hold(), far?.hold()])
  assert.ok(statuses.includes(491), `one of them is told to wait: ${statuses}`)
  assert.equal(call.state, 'established')
  await call.hangUp()
})

test('an INVITE without a description gets the offer in the answer', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const call = await house.alice.call('912065550100', { offer: false })
  await call.answered
  await call.audio.hears(house.itspA.tone)
  await call.hangUp()
})

test('a reject says why in the right status', async () => {
  house.route(() => reject(403, 'bob may not call abroad'))
  const call = await house.alice.call('9011442079460000')
  await assert.rejects(call.answered, /403/)
  assert.match(call.responses.at(-1)?.headers.get('warning') ?? '', /bob may not call abroad/)
  const [record] = await house.ended(1)
  assert.equal(record?.sipStatus, 403)
})

test('alice and her mobile ring together: the first to answer has the call, the other is told', async () => {
  house.itspA.setPhone('12065550142', { kind: 'answer', answerAfterMs: 300 })
  house.route(() =>
    plan([], {
      caller: { number: '+12065550177' },
      callee: { user: 'alice', number: '+14255551001' },
      branches: [
        { role: 'callee', delayMs: 0, attempts: [toUser('alice')] },
        { role: 'mobile', delayMs: 0, attempts: [toTrunk('itsp-a', '12065550142')] },
      ],
    }),
  )
  const call = await house.itspB.call({ from: '+12065550177', to: '+14255551001' })
  const rung = await house.alice.nextCall()
  await call.answered
  const end = await rung.ended
  assert.equal(end.why, 'cancelled')
  await call.audio.hears(house.itspA.tone)
  await call.hangUp()
  const records = await house.ended(3)
  const mobile = records.find((r) => r.role === 'mobile')
  assert.equal(mobile?.user, 'alice')
  assert.equal(mobile?.sipStatus, 200)
})

test('a user who is not registered is unavailable', async () => {
  house.route(() => plan([toUser('nobody')]))
  const call = await house.alice.call('1999')
  await assert.rejects(call.answered, /480/)
})

test('after all that nothing is left: no call, no port, no dialog', async () => {
  const status = house.calls.status()
  assert.equal(status.calls, 0)
  assert.equal(status.legs, 0)
})
