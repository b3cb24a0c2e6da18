import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Phone, type PhoneParts, startPhone } from '../src/phone.ts'

async function pair(
  run: (alice: Phone, bob: Phone) => Promise<void>,
  parts: { alice?: Partial<PhoneParts>; bob?: Partial<PhoneParts> } = {},
): Promise<void> {
  const alice = await startPhone({ name: 'alice', ...parts.alice })
  const bob = await startPhone({ name: 'bob', bind: '127.0.0.2', ...parts.bob })
  try {
    await run(alice, bob)
  } finally {
    await alice.close()
    await bob.close()
  }
}

test('a phone calls a phone and each hears the tone of the other', () =>
  pair(async (alice, bob) => {
    const call = await alice.call(bob.contactUri)
    const incoming = await bob.nextCall()
    assert.equal(await call.ringing, 180)
    await incoming.answer()
    await call.answered
    await Promise.all([call.audio.hears(bob.tone), incoming.audio.hears(alice.tone)])
    assert.equal(call.audio.heard(alice.tone), false)
    const ended = incoming.ended
    assert.deepEqual(await call.hangUp(), { by: 'us', why: 'hung-up' })
    assert.deepEqual(await ended, { by: 'peer', why: 'hung-up' })
    for (const { packetsSent, packetsReceived, rtcpSent, rtcpReceived } of [call.audio, incoming.audio]) {
      assert.ok(packetsSent >= 4 && packetsReceived >= 4 && rtcpSent >= 1 && rtcpReceived >= 1)
    }
    assert.deepEqual(call.statuses, [180, 200])
  }))

test('a busy phone rejects: the caller hears status and reason', () =>
  pair(async (alice, bob) => {
    bob.onIncoming((call) => call.reject(486, 'On the phone'))
    const call = await alice.call(bob.contactUri)
    await assert.rejects(call.answered, /486 On the phone/)
    assert.deepEqual(await call.ended, { by: 'peer', why: 'rejected', status: 486, reason: 'On the phone' })
  }))

test('a caller who gives up while it rings cancels the call', () =>
  pair(async (alice, bob) => {
    const call = await alice.call(bob.contactUri)
    const incoming = await bob.nextCall()
    await call.ringing
    assert.deepEqual(await call.hangUp(), { by: 'us', why: 'cancelled', status: 487 })
    assert.deepEqual(await incoming.ended, { by: 'peer', why: 'cancelled', status: 487 })
  }))

test('hold stops the audio of the held phone, resume brings it back', () =>
  pair(async (alice, bob) => {
    const call = await alice.call(bob.contactUri)
    const incoming = await bob.nextCall()
    await incoming.answer()
    await call.audio.hears(bob.tone)
    assert.equal(await call.hold(), 200)
    assert.equal(incoming.held, true)
    const before = incoming.audio.packetsSent
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(incoming.audio.packetsSent, before)
    assert.equal(await call.resume(), 200)
    assert.equal(incoming.held, false)
    await incoming.hangUp()
    assert.deepEqual(await call.ended, { by: 'peer', why: 'hung-up' })
    assert.ok(incoming.audio.packetsSent > before)
  }))

test('an INVITE without SDP gets the offer in the 200 and answers it in the ACK', () =>
  pair(async (alice, bob) => {
    const call = await alice.call(bob.contactUri, { offer: false })
    const incoming = await bob.nextCall()
    await incoming.answer()
    await Promise.all([call.audio.hears(bob.tone), incoming.audio.hears(alice.tone)])
  }))

test('a MESSAGE lands in the inbox and is answered 200', () =>
  pair(async (alice, bob) => {
    const response = await alice.send('MESSAGE', bob.contactUri, { type: 'text/plain', content: '911 from room 201' })
    assert.equal(response.status, 200)
    const message = await bob.nextMessage()
    assert.deepEqual([message.contentType, message.body], ['text/plain', '911 from room 201'])
    assert.equal(bob.messages.length, 1)
  }))

test('an OPTIONS is answered with what the phone can do', () =>
  pair(async (alice, bob) => {
    const response = await alice.send('OPTIONS', bob.contactUri)
    assert.equal(response.status, 200)
    assert.match(response.headers.get('allow') ?? '', /INVITE/)
  }))

test('a phone that closes hangs up its calls', () =>
  pair(async (alice, bob) => {
    const call = await alice.call(bob.contactUri)
    await (await bob.nextCall()).answer()
    await call.answered
    await bob.close()
    assert.deepEqual(await call.ended, { by: 'peer', why: 'hung-up' })
  }))

test('a phone may answer by itself', () =>
  pair(
    async (alice, bob) => {
      const call = await alice.call(bob.contactUri)
      await call.answered
      assert.deepEqual(call.statuses, [180, 200])
      await call.hangUp()
    },
    { bob: { answerAfterMs: 50 } },
  ))
