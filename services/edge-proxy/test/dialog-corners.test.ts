/** Corners of answered calls (RFC 3261 12 to 15): late offers inside them, a 2xx without ACK, dialogs that are not there. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { makeRequest } from '@tandem/sip/message/make.ts'
import { bodyOf, sdp } from './hand-call.ts'
import { type HandHouse, pause, startHandHouse } from './hand-house.ts'

const T1 = 50

let hand: HandHouse
before(async () => {
  hand = await startHandHouse({ times: { t1: T1, t2: 8 * T1 } })
})
after(() => hand.close())

test('RFC 3261 14.1: a re-INVITE of the caller without offer: the callee is asked for one, the ACK carries the answer', async () => {
  const { caller, callee } = await hand.talk()
  const asked = caller.ask('INVITE')
  const reinvite = await callee.asked('INVITE', 'a')
  assert.equal(bodyOf(reinvite), '')
  callee.reply(reinvite, 200, { body: sdp(40_012, '0 8') })
  const ok = await asked
  assert.match(bodyOf(ok), /^m=audio \d+ RTP\/AVP 0 8\r$/m)
  assert.doesNotMatch(bodyOf(ok), /40012/)
  assert.equal(callee.has('ACK'), false, 'the answer is not known yet')
  caller.ackAgain(ok, sdp(40_010, '8'))
  assert.match(bodyOf(await callee.asked('ACK', 'a')), /^m=audio \d+ RTP\/AVP 8\r$/m)
  await hand.end(caller, callee)
})

test('RFC 3261 14.1: the callee asks for an offer by re-INVITE, too', async () => {
  const { caller, callee } = await hand.talk()
  const asked = callee.ask('a', 'INVITE')
  const reinvite = await caller.asked('INVITE')
  assert.equal(bodyOf(reinvite), '')
  caller.reply(reinvite, 200, { body: sdp(40_010, '8 0') })
  const ok = await asked
  assert.match(bodyOf(ok), /^m=audio \d+ RTP\/AVP 8 0\r$/m)
  callee.ack('a', ok, sdp(40_012, '8'))
  assert.match(bodyOf(await caller.asked('ACK')), /^m=audio \d+ RTP\/AVP 8\r$/m)
  await hand.end(caller, callee)
})

test('RFC 3261 13.2.2.4: the ACK of a late offer has no answer: both sides are acknowledged and hung up', async () => {
  const { caller, callee } = await hand.talk()
  const asked = caller.ask('INVITE')
  callee.reply(await callee.asked('INVITE', 'a'), 200, { body: sdp(40_012) })
  caller.ackAgain(await asked)
  await callee.asked('ACK', 'a')
  callee.reply(await callee.asked('BYE', 'a'), 200)
  caller.reply(await caller.asked('BYE'), 200)
  await hand.assertEmpty()
})

test('RFC 3261 9.1: a late offer that is cancelled while the 200 is on the way is answered as before, and the call goes on', async () => {
  const { caller, callee } = await hand.talk()
  const asked = caller.ask('INVITE')
  const reinvite = await callee.asked('INVITE', 'a')
  callee.reply(reinvite, 100)
  caller.cancelAgain()
  callee.reply(await callee.asked('CANCEL', 'a'), 200)
  callee.reply(reinvite, 200, { body: sdp(40_002, '0 8') })
  assert.equal((await asked).status, 487)
  caller.ackAgain(await asked)
  assert.match(bodyOf(await callee.asked('ACK', 'a')), /^m=audio \d+ RTP\/AVP 0 8\r$/m)
  const again = caller.ask('INVITE', { body: sdp(40_000, '8') })
  callee.reply(await callee.asked('INVITE', 'a'), 200, { body: sdp(40_002, '8') })
  caller.ackAgain(await again)
  await callee.asked('ACK', 'a')
  await hand.end(caller, callee)
})

test('RFC 3261 13.3.1.4: without ACK the 200 is repeated at T1, 2*T1 … T2, and after 64*T1 both sides get BYE', async () => {
  const { caller, callee } = await hand.begin()
  callee.says(200, 'a', { body: sdp(40_002) })
  await callee.asked('ACK', 'a')
  const first = await caller.hears(200)
  for (let i = 0; i < 5; i++) assert.deepEqual((await caller.hears(200)).headers.get('to'), first.headers.get('to'))
  caller.reply(await caller.asked('BYE'), 200)
  callee.reply(await callee.asked('BYE', 'a'), 200)
  const records = await hand.house.ended(2)
  assert.deepEqual([...new Set(records.map((r) => r.endedBy))], ['tandem'])
  assert.ok(records.every((r) => r.answeredAt !== undefined))
})

test('RFC 3261 13.3.1.4: one ACK ends the repetitions', async () => {
  const { caller, callee } = await hand.begin()
  callee.says(200, 'a', { body: sdp(40_002) })
  await callee.asked('ACK', 'a')
  caller.ack(await caller.hears(200))
  await pause(4 * T1)
  while (caller.has(200)) await caller.hears(200)
  await pause(16 * T1)
  assert.equal(caller.has(200), false)
  await hand.end(caller, callee)
})

test('RFC 3261 15: a caller who hangs up before his ACK is through ends the call, his late ACK harms nothing', async () => {
  const { caller, callee } = await hand.begin()
  callee.says(200, 'a', { body: sdp(40_002) })
  await callee.asked('ACK', 'a')
  const ok = await caller.hears(200)
  const hung = caller.hangUp()
  callee.reply(await callee.asked('BYE', 'a'), 200)
  await hung
  caller.ack(ok)
  await hand.assertEmpty()
  while (caller.has(200)) await caller.hears(200)
  await pause(16 * T1)
  assert.equal(caller.has(200), false, 'the 200 is not repeated any more')
})

test('RFC 3261 12.2.2: what belongs to no dialog gets 481; with a wrong tag, too', async () => {
  const { caller, callee } = await hand.talk()
  const id = caller.invite.headers.get('call-id') ?? ''
  for (const method of ['BYE', 'INVITE', 'UPDATE', 'INFO', 'PRACK', 'REFER']) {
    for (const [callId, tag] of [
      ['nobody-knows-it', 'x'],
      [id, 'not-ours'],
      [id, caller.dialog?.remoteTag ?? ''],
    ] as const) {
      const request = makeRequest({
        method,
        uri: `sip:x@127.0.0.1:${hand.edgePort}`,
        from: '<sip:caller@127.0.0.1>;tag=somebody-else',
        to: `<sip:x@127.0.0.1>;tag=${tag}`,
        callId,
        cseq: 7,
        contact: `<sip:x@127.0.0.1:${hand.near.port}>`,
        headers:
          method === 'REFER' ? [['Refer-To', '<sip:y@127.0.0.1>']] : method === 'PRACK' ? [['RAck', '1 1 INVITE']] : [],
      })
      assert.equal((await hand.near.ask(request)).status, 481, `${method} ${callId === id ? 'with a wrong tag' : ''}`)
    }
  }
  await hand.end(caller, callee)
})

test('after all that nothing is left', () => hand.assertEmpty())
