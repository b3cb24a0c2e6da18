/** Reliable provisional responses (RFC 3262) on both sides, and what they describe (RFC 3262 5, RFC 6337). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { cseq, toTag } from '@tandem/sip/message/read.ts'
import { plan, toTrunk } from './call-edge.ts'
import { bodyOf, HandCallee, HandCaller, ofMethod, sdp } from './hand-call.ts'
import { type HandHouse, type HandParts, pause, startHandHouse } from './hand-house.ts'

const T1 = 50
const RELIABLE: [string, string][] = [['Supported', '100rel']]
const REQUIRED: [string, string][] = [['Require', '100rel']]

let hand: HandHouse
before(async () => {
  hand = await startHandHouse({ times: { t1: T1 } })
})
after(() => hand.close())

const begin = (parts?: HandParts) => hand.begin(parts)
const end = (caller: HandCaller, callee: HandCallee, tag: string) => hand.end(caller, callee, tag)

test('RFC 3262 3: a caller who requires 100rel hears 180 reliably, again and again until he acknowledges it', async () => {
  const { caller, callee } = await begin({ headers: REQUIRED })
  callee.says(180, 'a')
  const ringing = await caller.hears(180)
  assert.equal(ringing.headers.get('require'), '100rel')
  const number = Number(ringing.headers.get('rseq'))
  assert.ok(number >= 1 && number < 2 ** 31, `${number}`)
  assert.ok(toTag(ringing))
  const again = await caller.hears(180)
  assert.equal(again.headers.get('rseq'), ringing.headers.get('rseq'))
  assert.equal((await caller.prack(ringing)).status, 200)
  await pause(3 * T1)
  while (caller.has(180)) await caller.hears(180)
  await pause(8 * T1)
  assert.equal(caller.has(180), false, 'it is not repeated any more')
  // "a PRACK ... that does not match any unacknowledged reliable provisional response" gets 481
  assert.equal((await caller.prack(ringing)).status, 481)
  callee.says(200, 'a', { body: sdp(40_002) })
  await callee.asked('ACK', 'a')
  const ok = await caller.hears(200)
  assert.match(bodyOf(ok), /^m=audio/m)
  caller.ack(ok)
  await end(caller, callee, 'a')
})

test('RFC 3262 3: a caller who supports 100rel hears the answer reliably, what has none as ever; the 200 waits for the PRACK', async () => {
  const { caller, callee } = await begin({ headers: RELIABLE })
  callee.says(180, 'a')
  assert.equal((await caller.hears(180)).headers.has('rseq'), false)
  callee.says(183, 'a', { body: sdp(40_002) })
  const progress = await caller.hears(183)
  assert.ok(progress.headers.has('rseq'))
  assert.match(bodyOf(progress), /^m=audio \d+ RTP\/AVP 0\r$/m)
  callee.says(200, 'a', { body: sdp(40_002) })
  await pause(3 * T1)
  assert.equal(caller.has(200), false, 'RFC 3262 3: it MUST NOT be sent before the PRACK')
  assert.equal((await caller.prack(progress)).status, 200)
  const ok = await caller.hears(200)
  // RFC 6337 3.1.1: the answer was given
  assert.equal(bodyOf(ok), '')
  caller.ack(ok)
  await callee.asked('ACK', 'a')
  await end(caller, callee, 'a')
})

test('RFC 3262 3: a second reliable response waits for the PRACK of the first, its RSeq is one more', async () => {
  const { caller, callee } = await begin({ headers: REQUIRED })
  callee.says(180, 'a')
  const first = await caller.hears(180)
  callee.says(183, 'a', { body: sdp(40_002) })
  await pause(3 * T1)
  assert.equal(caller.has(183), false)
  assert.equal((await caller.prack(first)).status, 200)
  const second = await caller.hears(183)
  assert.equal(Number(second.headers.get('rseq')), Number(first.headers.get('rseq')) + 1)
  assert.equal((await caller.prack(second)).status, 200)
  callee.says(486, 'a')
  caller.ack(await caller.hears(486))
})

test('RFC 3262 3: without a PRACK in 64*T1 the INVITE is refused with a 5xx, and the callee is given up', async () => {
  const { caller, callee } = await begin({ headers: REQUIRED })
  callee.says(180, 'a')
  await caller.hears(180)
  const refused = await caller.hears(503, 64 * T1 + 10_000)
  caller.ack(refused)
  callee.reply((await hand.far.next(ofMethod('CANCEL'), 10_000)) as never, 200)
  callee.says(487, 'a')
})

test('a caller who gives up while the 200 waits for his PRACK: the callee is acknowledged and hung up', async () => {
  const { caller, callee } = await begin({ headers: RELIABLE })
  callee.says(183, 'a', { body: sdp(40_002) })
  await caller.hears(183)
  callee.says(200, 'a', { body: sdp(40_002) })
  await pause(T1)
  caller.cancel()
  caller.ack(await caller.hears(487))
  await callee.asked('ACK', 'a')
  callee.reply(await callee.asked('BYE', 'a'), 200)
  assert.equal(caller.has(200), false)
  assert.deepEqual(
    (await hand.house.ended(2)).map((r) => r.sipStatus),
    [487, 487],
  )
})

test('RFC 3262 4: a reliable response of the carrier is acknowledged once, repetitions and what is out of order are not', async () => {
  const { caller, callee } = await begin()
  assert.match(callee.invite.headers.get('supported') ?? '', /\b100rel\b/)
  callee.says(183, 'a', { rseq: 17, body: sdp(40_002) })
  const prack = await callee.pracked('a')
  assert.equal(prack.headers.get('rack'), '17 1 INVITE')
  assert.deepEqual(cseq(prack), { sequence: 2, method: 'PRACK' })
  await caller.hears(183)
  callee.says(183, 'a', { rseq: 17, body: sdp(40_002) })
  callee.says(182, 'a', { rseq: 19 })
  await pause(3 * T1)
  assert.equal(callee.has('PRACK'), false)
  assert.equal(caller.has(183), false)
  assert.equal(caller.has(182), false)
  callee.says(182, 'a', { rseq: 18 })
  assert.equal((await callee.pracked('a')).headers.get('rack'), '18 1 INVITE')
  await caller.hears(182)
  callee.says(200, 'a')
  // RFC 3261 13.2.2.4: the confirmed dialog goes on with the numbers of the early one
  assert.equal(cseq(await callee.asked('ACK', 'a'))?.sequence, 1)
  const ok = await caller.hears(200)
  assert.match(bodyOf(ok), /^m=audio/m, 'the caller had no reliable answer yet')
  caller.ack(ok)
  const hung = caller.hangUp()
  const bye = await callee.asked('BYE', 'a')
  assert.equal(cseq(bye)?.sequence, 4)
  callee.reply(bye, 200)
  await hung
})

test('parallel early dialogs (RFC 3261 12.1.2): each branch of a fork is acknowledged in its own dialog, one is heard, any may answer', async () => {
  const { caller, callee } = await begin({ headers: RELIABLE })
  callee.says(183, 'a', { rseq: 5, body: sdp(40_002, '0') })
  assert.equal((await callee.pracked('a')).headers.get('rack'), '5 1 INVITE')
  const progress = await caller.hears(183)
  callee.says(183, 'b', { rseq: 900, body: sdp(40_004, '8') })
  const other = await callee.pracked('b')
  assert.equal(other.headers.get('rack'), '900 1 INVITE')
  assert.equal(cseq(other)?.sequence, 2, 'its dialog has numbers of its own')
  const ringing = await caller.hears(180)
  assert.equal(bodyOf(ringing), '')
  assert.equal(toTag(ringing), toTag(progress), 'the caller sees one early dialog')
  assert.equal((await caller.prack(progress)).status, 200)
  callee.says(200, 'b')
  assert.equal(cseq(await callee.asked('ACK', 'b'))?.sequence, 1)
  const ok = await caller.hears(200)
  assert.match(bodyOf(ok), /^m=audio \d+ RTP\/AVP 8\r$/m)
  assert.notEqual(toTag(ok), toTag(progress), 'another answer comes under a tag of its own')
  caller.ack(ok)
  const hung = caller.hangUp()
  const bye = await callee.asked('BYE', 'b')
  assert.equal(cseq(bye)?.sequence, 3)
  callee.reply(bye, 200)
  await hung
})

test('RFC 3262 5: an INVITE without offer: the reliable response has it, the PRACK the answer, 200 and ACK nothing', async () => {
  const { caller, callee } = await begin({ headers: RELIABLE, body: undefined })
  assert.equal(bodyOf(callee.invite), '')
  assert.match(callee.invite.headers.get('supported') ?? '', /\b100rel\b/)
  callee.says(183, 'a', { rseq: 1, body: sdp(40_002, '0 8') })
  const progress = await caller.hears(183)
  assert.match(bodyOf(progress), /^m=audio \d+ RTP\/AVP 0 8\r$/m)
  assert.equal(callee.has('PRACK'), false, 'its answer is not known yet')
  assert.equal((await caller.prack(progress, sdp(40_000, '8'))).status, 200)
  const prack = await callee.pracked('a')
  assert.match(bodyOf(prack), /^m=audio \d+ RTP\/AVP 8\r$/m)
  callee.says(200, 'a')
  assert.equal(bodyOf(await callee.asked('ACK', 'a')), '')
  const ok = await caller.hears(200)
  assert.equal(bodyOf(ok), '')
  caller.ack(ok)
  await end(caller, callee, 'a')
})

test('a caller without 100rel who makes no offer: the carrier is not told of 100rel, the offer comes in the 200', async () => {
  const { caller, callee } = await begin({ body: undefined })
  assert.doesNotMatch(callee.invite.headers.get('supported') ?? '', /100rel/)
  callee.says(183, 'a', { body: sdp(40_002) })
  assert.equal(bodyOf(await caller.hears(183)), '')
  callee.says(200, 'a', { body: sdp(40_002) })
  const ok = await caller.hears(200)
  assert.match(bodyOf(ok), /^m=audio/m)
  caller.ack(ok, sdp(40_000))
  assert.match(bodyOf(await callee.asked('ACK', 'a')), /^m=audio/m)
  await end(caller, callee, 'a')
})

test('RFC 3262 5: a caller who requires 100rel and makes no offer hears nothing before there is one', async () => {
  const { caller, callee } = await begin({ headers: REQUIRED, body: undefined })
  callee.says(180, 'a')
  await pause(3 * T1)
  assert.equal(caller.has(180), false)
  callee.says(200, 'a', { body: sdp(40_002) })
  const ok = await caller.hears(200)
  caller.ack(ok, sdp(40_000))
  await callee.asked('ACK', 'a')
  await end(caller, callee, 'a')
})

test('RFC 3262 5: a PRACK without the answer that it owes ends the call', async () => {
  const { caller, callee } = await begin({ headers: RELIABLE, body: undefined })
  callee.says(183, 'a', { rseq: 1, body: sdp(40_002) })
  assert.equal((await caller.prack(await caller.hears(183))).status, 200)
  caller.ack(await caller.hears(503))
  callee.reply((await hand.far.next(ofMethod('CANCEL'), 10_000)) as never, 200)
  callee.says(487, 'a')
})

test('RFC 3262 3: a PRACK that comes after the final response is answered', async () => {
  const { caller, callee } = await begin({ headers: REQUIRED })
  callee.says(180, 'a')
  const ringing = await caller.hears(180)
  callee.says(200, 'a', { body: sdp(40_002) })
  const ok = await caller.hears(200)
  assert.equal((await caller.prack(ringing)).status, 200)
  assert.equal((await caller.prack(ringing)).status, 481)
  caller.ack(ok)
  await callee.asked('ACK', 'a')
  await end(caller, callee, 'a')
})

test('a trunk may insist on 100rel, or not hear of it; a call for help insists on nothing', async () => {
  const { house, near, far, edgePort } = hand
  const number = '12065550199'
  house.route(() => plan([toTrunk('itsp-b', number)]))
  const { document } = house
  const withPrack = (prack: string) => ({
    ...document,
    trunks: { ...document.trunks, 'itsp-b': { ...document.trunks['itsp-b'], prack } },
  })
  const invite = async (called: string) => {
    const caller = new HandCaller(near, called, edgePort, { body: sdp(40_000) })
    const callee = await HandCallee.take(far, called)
    callee.says(486, 'a')
    caller.ack(await caller.hears(486))
    return callee.invite.headers
  }
  await house.edge.apply(withPrack('required') as never)
  assert.equal((await invite(number)).get('require'), '100rel')
  house.route(() => plan([toTrunk('itsp-b', number)], { emergency: true, dialled: '911' }))
  assert.equal((await invite('911')).get('require'), undefined)
  house.route(() => plan([toTrunk('itsp-b', number)]))
  await house.edge.apply(withPrack('off') as never)
  assert.doesNotMatch((await invite(number)).get('supported') ?? '', /100rel/)
  await house.edge.apply(document)
})

test('after all that nothing is left', () => hand.assertEmpty())
