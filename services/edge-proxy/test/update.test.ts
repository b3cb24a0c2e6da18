/** UPDATE (RFC 3311) in early dialogs, and offers in a PRACK (RFC 3262 5). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bodyOf, type HandCallee, type HandCaller, sdp } from './hand-call.ts'
import { type HandHouse, startHandHouse } from './hand-house.ts'

const ALLOW: [string, string] = ['Allow', 'INVITE, ACK, CANCEL, BYE, PRACK, UPDATE']
const RELIABLE: [string, string][] = [['Supported', '100rel'], ALLOW]

let hand: HandHouse
before(async () => {
  hand = await startHandHouse()
})
after(() => hand.close())

/** Both sides know each other's description reliably, nobody has answered yet. */
async function early() {
  const { caller, callee } = await hand.begin({ headers: RELIABLE })
  callee.says(183, 'a', { rseq: 1, body: sdp(40_002), headers: [ALLOW] })
  await callee.pracked('a')
  const progress = await caller.hears(183)
  assert.equal((await caller.prack(progress)).status, 200)
  return { caller, callee }
}

/** The callee answers with 200, the caller hangs up. */
async function answerAndEnd(caller: HandCaller, callee: HandCallee): Promise<string> {
  callee.says(200, 'a')
  await callee.asked('ACK', 'a')
  const ok = await caller.hears(200)
  caller.ack(ok)
  await hand.end(caller, callee)
  return bodyOf(ok)
}

test('RFC 3311 5.1: the caller makes a new offer before the answer: the callee is asked by UPDATE, its answer comes back', async () => {
  const { caller, callee } = await early()
  const asked = caller.ask('UPDATE', { body: sdp(40_010, '8') })
  const update = await callee.asked('UPDATE', 'a')
  assert.match(bodyOf(update), /^m=audio \d+ RTP\/AVP 8\r$/m)
  assert.doesNotMatch(bodyOf(update), /40010/)
  callee.reply(update, 200, { body: sdp(40_012, '8') })
  const ok = await asked
  assert.equal(ok.status, 200)
  assert.ok(ok.headers.has('contact'), 'RFC 3311 5.1: a target refresh request')
  assert.match(bodyOf(ok), /^m=audio \d+ RTP\/AVP 8\r$/m)
  assert.equal(await answerAndEnd(caller, callee), '')
})

test('RFC 3311 5.1: the callee makes a new offer before its answer: the caller is asked by UPDATE', async () => {
  const { caller, callee } = await early()
  const asked = callee.ask('a', 'UPDATE', { body: sdp(40_012, '8') })
  const update = await caller.asked('UPDATE')
  assert.match(bodyOf(update), /^m=audio \d+ RTP\/AVP 8\r$/m)
  caller.reply(update, 200, { body: sdp(40_010, '8') })
  const ok = await asked
  assert.equal(ok.status, 200)
  assert.match(bodyOf(ok), /^m=audio \d+ RTP\/AVP 8\r$/m)
  await answerAndEnd(caller, callee)
})

test('RFC 3262 5: an offer in the PRACK is answered in its 200', async () => {
  const { caller, callee } = await hand.begin({ headers: RELIABLE })
  callee.says(183, 'a', { rseq: 1, body: sdp(40_002), headers: [ALLOW] })
  await callee.pracked('a')
  const progress = await caller.hears(183)
  const asked = caller.prack(progress, sdp(40_010, '8'))
  const update = await callee.asked('UPDATE', 'a')
  callee.reply(update, 200, { body: sdp(40_002, '8') })
  const ok = await asked
  assert.equal(ok.status, 200)
  assert.match(bodyOf(ok), /^m=audio \d+ RTP\/AVP 8\r$/m)
  await answerAndEnd(caller, callee)
})

test('RFC 3311 5.2: an offer that meets ours gets 491, a second one 500 with Retry-After', async () => {
  const { caller, callee } = await early()
  const asked = caller.ask('UPDATE', { body: sdp(40_010, '8') })
  const update = await callee.asked('UPDATE', 'a')
  assert.equal((await callee.ask('a', 'UPDATE', { body: sdp(40_012, '8') })).status, 491)
  const second = await caller.ask('UPDATE', { body: sdp(40_014, '8') })
  assert.equal(second.status, 500)
  const wait = Number(second.headers.get('retry-after'))
  assert.ok(wait >= 0 && wait <= 10)
  callee.reply(update, 488)
  // RFC 3311 5.3: the session goes on as it was
  assert.equal((await asked).status, 488)
  await answerAndEnd(caller, callee)
})

test('RFC 3311 5.1: before the first answer is reliable nobody may make another offer', async () => {
  const { caller, callee } = await hand.begin({ headers: RELIABLE })
  callee.says(183, 'a', { body: sdp(40_002), headers: [ALLOW] })
  const progress = await caller.hears(183)
  // we owe the caller an answer: 500; we wait for that of the callee: 491
  const refused = await caller.ask('UPDATE', { body: sdp(40_010, '8') })
  assert.equal(refused.status, 500)
  assert.ok(refused.headers.has('retry-after'))
  assert.equal((await callee.ask('a', 'UPDATE', { body: sdp(40_012, '8') })).status, 491)
  assert.equal((await caller.prack(progress)).status, 200)
  callee.says(200, 'a', { body: sdp(40_002) })
  await callee.asked('ACK', 'a')
  caller.ack(await caller.hears(200))
  await hand.end(caller, callee)
})

test('an early offer that only moves its media is answered here: the caller need not know UPDATE, nor 100rel', async () => {
  const { caller, callee } = await hand.begin()
  callee.says(183, 'a', { rseq: 1, body: sdp(40_002), headers: [ALLOW] })
  await callee.pracked('a')
  await caller.hears(183)
  const ok = await callee.ask('a', 'UPDATE', { body: sdp(40_022, '0') })
  assert.equal(ok.status, 200)
  assert.match(bodyOf(ok), /^m=audio \d+ RTP\/AVP 0 8\r$/m)
  assert.equal(
    hand.near.received.some((m) => m.kind === 'request' && m.method === 'UPDATE'),
    false,
  )
  // RFC 3311 5.2: what the caller would have to hear of, and cannot, gets 504
  assert.equal((await callee.ask('a', 'UPDATE', { body: sdp(40_022, '9') })).status, 504)
  callee.says(200, 'a')
  await callee.asked('ACK', 'a')
  const answer = await caller.hears(200)
  assert.match(bodyOf(answer), /^m=audio \d+ RTP\/AVP 0\r$/m)
  caller.ack(answer)
  await hand.end(caller, callee)
})

test('an UPDATE without an offer refreshes the target of an early dialog and gets 200', async () => {
  const { caller, callee } = await early()
  assert.equal((await caller.ask('UPDATE')).status, 200)
  const ok = await callee.ask('a', 'UPDATE')
  assert.equal(ok.status, 200)
  assert.equal(bodyOf(ok), '')
  assert.ok(ok.headers.has('contact'))
  await answerAndEnd(caller, callee)
})

test('an UPDATE whose description cannot be read gets 488, a body of another kind 415', async () => {
  const { caller, callee } = await early()
  assert.equal((await caller.ask('UPDATE', { body: 'nonsense' })).status, 488)
  const other = await caller.ask('UPDATE', { body: 'x', type: 'text/plain' })
  assert.equal(other.status, 415)
  await answerAndEnd(caller, callee)
})

test('digits that the caller sends by INFO reach the callee before the answer', async () => {
  const { caller, callee } = await early()
  const asked = caller.ask('INFO', { body: 'Signal=5\r\nDuration=160\r\n', type: 'application/dtmf-relay' })
  const info = await callee.asked('INFO', 'a')
  assert.match(bodyOf(info), /Signal=5/)
  callee.reply(info, 200)
  assert.equal((await asked).status, 200)
  await answerAndEnd(caller, callee)
})

test('after all that nothing is left', () => hand.assertEmpty())
