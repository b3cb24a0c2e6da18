/** Hold in all its forms (RFC 3264 8.4, 6.1), glare (RFC 3261 14) and CANCEL at odd times (RFC 3261 9.1). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bodyOf, type HandCallee, type HandCaller, ofMethod, sdp } from './hand-call.ts'
import { type HandHouse, pause, startHandHouse } from './hand-house.ts'

let hand: HandHouse
before(async () => {
  hand = await startHandHouse()
})
after(() => hand.close())

const nowhere = (text: string) => text.replace('c=IN IP4 127.0.0.1', 'c=IN IP4 0.0.0.0')
const stillTalks = async (caller: HandCaller, callee: HandCallee) => {
  const asked = caller.ask('INFO', { body: 'Signal=1\r\n', type: 'application/dtmf-relay' })
  callee.reply(await callee.asked('INFO', 'a'), 200)
  assert.equal((await asked).status, 200)
}

/** A re-INVITE of the caller and the callee's answer to it, acknowledged on both sides. */
async function reoffer(caller: HandCaller, callee: HandCallee, offer: string, answer: string) {
  const asked = caller.ask('INVITE', { body: offer })
  const reinvite = await callee.asked('INVITE', 'a')
  callee.reply(reinvite, 200, { body: answer })
  const ok = await asked
  caller.ackAgain(ok)
  await callee.asked('ACK', 'a')
  return { offered: bodyOf(reinvite), ok, answered: bodyOf(ok) }
}

for (const [form, offer, answer, sees, hears] of [
  [
    'sendonly',
    sdp(40_000, '0', ['a=sendonly']),
    sdp(40_002, '0', ['a=recvonly']),
    /^a=sendonly\r$/m,
    /^a=recvonly\r$/m,
  ],
  [
    'inactive',
    sdp(40_000, '0', ['a=inactive']),
    sdp(40_002, '0', ['a=inactive']),
    /^a=inactive\r$/m,
    /^a=inactive\r$/m,
  ],
  [
    'c=0.0.0.0 (RFC 2543)',
    nowhere(sdp(40_000)),
    sdp(40_002, '0', ['a=recvonly']),
    /^c=IN IP4 0\.0\.0\.0\r$/m,
    /^a=recvonly\r$/m,
  ],
  [
    'sendonly and c=0.0.0.0',
    nowhere(sdp(40_000, '0', ['a=sendonly'])),
    sdp(40_002, '0', ['a=recvonly']),
    /^c=IN IP4 0\.0\.0\.0\r\na=sendonly\r$/m,
    /^a=recvonly\r$/m,
  ],
] as const) {
  test(`RFC 3264 8.4 hold by ${form}: the callee sees it, its answer comes back, and the call is resumed`, async () => {
    const { caller, callee } = await hand.talk()
    const held = await reoffer(caller, callee, offer, answer)
    assert.equal(held.ok.status, 200)
    assert.match(held.offered, sees)
    assert.match(held.answered, hears)
    assert.doesNotMatch(held.offered, /40000/)
    const resumed = await reoffer(caller, callee, sdp(40_000, '0', ['a=sendrecv']), sdp(40_002))
    assert.doesNotMatch(resumed.offered, /inactive|sendonly|0\.0\.0\.0/)
    await stillTalks(caller, callee)
    await hand.end(caller, callee)
  })
}

test('RFC 3264 8.4: the callee holds, too, and both may hold at once', async () => {
  const { caller, callee } = await hand.talk()
  await reoffer(caller, callee, sdp(40_000, '0', ['a=sendonly']), sdp(40_002, '0', ['a=recvonly']))
  const asked = callee.ask('a', 'INVITE', { body: sdp(40_002, '0', ['a=inactive']) })
  const reinvite = await caller.asked('INVITE')
  assert.match(bodyOf(reinvite), /^a=inactive\r$/m)
  caller.reply(reinvite, 200, { body: sdp(40_000, '0', ['a=inactive']) })
  assert.match(bodyOf(await asked), /^a=inactive\r$/m)
  callee.ack('a', await asked)
  await caller.asked('ACK')
  await stillTalks(caller, callee)
  await hand.end(caller, callee)
})

test('a hold that is refused leaves the call as it was (RFC 3261 14.1)', async () => {
  const { caller, callee } = await hand.talk()
  const asked = caller.ask('INVITE', { body: sdp(40_000, '0', ['a=sendonly']) })
  callee.reply(await callee.asked('INVITE', 'a'), 488)
  await callee.asked('ACK', 'a')
  assert.equal((await asked).status, 488)
  caller.ackAgain(await asked)
  await stillTalks(caller, callee)
  await hand.end(caller, callee)
})

test('RFC 3261 14.1 glare: both sides offer at once, one gets 491, and the other offer goes through', async () => {
  const { caller, callee } = await hand.talk()
  const first = caller.ask('INVITE', { body: sdp(40_000, '0', ['a=sendonly']) })
  const reinvite = await callee.asked('INVITE', 'a')
  const crossing = await callee.ask('a', 'INVITE', { body: sdp(40_002, '0', ['a=sendonly']) })
  assert.equal(crossing.status, 491)
  callee.ack('a', crossing)
  // the callee, too, refuses what crosses its own offer: whoever called waits and asks again
  callee.reply(reinvite, 491)
  await callee.asked('ACK', 'a')
  const refused = await first
  assert.equal(refused.status, 491)
  caller.ackAgain(refused)
  await reoffer(caller, callee, sdp(40_000, '0', ['a=sendonly']), sdp(40_002, '0', ['a=recvonly']))
  await hand.end(caller, callee)
})

test('RFC 3261 14.2: a second re-INVITE before the first is answered gets 500 with Retry-After of 0 to 10 s', async () => {
  const { caller, callee } = await hand.talk()
  const first = caller.ask('INVITE', { body: sdp(40_000, '0', ['a=sendonly']) })
  const reinvite = await callee.asked('INVITE', 'a')
  const second = await caller.ask('INVITE', { body: sdp(40_000, '0', ['a=inactive']) })
  assert.equal(second.status, 500)
  const wait = Number(second.headers.get('retry-after'))
  assert.ok(wait >= 0 && wait <= 10)
  caller.ackAgain(second)
  callee.reply(reinvite, 200, { body: sdp(40_002, '0', ['a=recvonly']) })
  caller.ackAgain(await first)
  await callee.asked('ACK', 'a')
  await hand.end(caller, callee)
})

test('RFC 3261 9.1: a CANCEL before any response waits for a provisional one', async () => {
  const { caller, callee } = await hand.begin()
  caller.cancel()
  caller.ack(await caller.hears(487))
  await pause(300)
  assert.equal(callee.has('CANCEL'), false)
  callee.says(100, 'a')
  callee.reply((await hand.far.next(ofMethod('CANCEL'), 10_000)) as never, 200)
  callee.says(487, 'a')
})

test('a CANCEL of a call without an offer that crosses its 200: acknowledged and hung up, without media', async () => {
  const { caller, callee } = await hand.begin({ body: undefined })
  callee.says(180, 'a')
  await caller.hears(180)
  caller.cancel()
  callee.reply((await hand.far.next(ofMethod('CANCEL'), 10_000)) as never, 200)
  callee.says(200, 'a', { body: sdp(40_002) })
  caller.ack(await caller.hears(487))
  await callee.asked('ACK', 'a')
  callee.reply(await callee.asked('BYE', 'a'), 200)
})

test('RFC 3261 9.1: a hold that is cancelled while its 200 is on the way is taken back, and the call goes on', async () => {
  const { caller, callee } = await hand.talk()
  const asked = caller.ask('INVITE', { body: sdp(40_000, '0', ['a=sendonly']) })
  const reinvite = await callee.asked('INVITE', 'a')
  callee.reply(reinvite, 180)
  caller.cancelAgain()
  assert.equal((await asked).status, 487)
  caller.ackAgain(await asked)
  callee.reply(await callee.asked('CANCEL', 'a'), 200)
  callee.reply(reinvite, 200, { body: sdp(40_002, '0', ['a=recvonly']) })
  await callee.asked('ACK', 'a')
  const back = await callee.asked('INVITE', 'a')
  assert.doesNotMatch(bodyOf(back), /sendonly/)
  callee.reply(back, 200, { body: sdp(40_002) })
  await callee.asked('ACK', 'a')
  // nobody waits for an ACK of a 200 that was never sent: the next offer is taken
  await reoffer(caller, callee, sdp(40_000, '0', ['a=sendonly']), sdp(40_002, '0', ['a=recvonly']))
  await hand.end(caller, callee)
})

test('a CANCEL that comes after the 200 changes nothing', async () => {
  const { caller, callee } = await hand.talk()
  caller.cancel()
  await stillTalks(caller, callee)
  await hand.end(caller, callee)
})

test('after all that nothing is left', () => hand.assertEmpty())
