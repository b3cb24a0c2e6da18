/** Calls for help from phones and PBXs that know reliable provisional responses (RFC 3262), and never send a PRACK. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { plan, toTrunk } from './call-edge.ts'
import { bodyOf, HandCallee, HandCaller, sdp } from './hand-call.ts'
import { type HandHouse, startHandHouse } from './hand-house.ts'
import { type RawPeer, rawPeer } from './raw-peer.ts'

const SUPPORTED: [string, string] = ['Supported', '100rel']
const REQUIRED: [string, string] = ['Require', '100rel']

let hand: HandHouse
let phone: RawPeer
before(async () => {
  // T1 is 500 ms as everywhere: whoever waited for a PRACK would wait 32 s, a hand waits 10 s
  hand = await startHandHouse()
  phone = await rawPeer('UDP', { port: hand.house.edge.port('inside') })
})
after(async () => {
  phone.close()
  await hand.close()
})

for (const [who, knows, dialled] of [
  ['a phone', 'the edge', '112'],
  ['a PBX behind a trunk', 'the router only', '5550911'],
] as const) {
  const call = async (headers: [string, string][], body?: string) => {
    const [peer, port, trunk, far] =
      who === 'a phone'
        ? ([phone, hand.house.edge.port('inside'), 'itsp-a', hand.near] as const)
        : ([hand.near, hand.edgePort, 'itsp-b', hand.far] as const)
    hand.house.route(() => plan([toTrunk(trunk, dialled)], { emergency: true, dialled: '112' }))
    const caller = new HandCaller(peer, dialled, port, { headers, body })
    return { caller, callee: await HandCallee.take(far, '112') }
  }
  /** Answered at once though nothing was acknowledged; the call stands, and ends as any other. */
  const answered = async (caller: HandCaller, callee: HandCallee, answer?: string) => {
    callee.says(200, 'a', { body: sdp(40_002) })
    const ok = await caller.hears(200)
    assert.match(bodyOf(ok), /^m=audio/m)
    caller.ack(ok, answer)
    await callee.asked('ACK', 'a')
    await hand.end(caller, callee)
  }

  test(`${who} requires 100rel (${knows} knows that it calls for help): 180 and 183 come reliably and describe nothing, so that 200 follows at once`, async () => {
    const { caller, callee } = await call([REQUIRED], sdp(40_000))
    callee.says(180, 'a')
    const ringing = await caller.hears(180)
    assert.ok(ringing.headers.has('rseq'))
    assert.equal(bodyOf(ringing), '')
    callee.says(183, 'a', { body: sdp(40_002) })
    await answered(caller, callee)
    assert.equal(caller.has(183), false, 'RFC 3262 3: none before the PRACK of the first')
  })

  test(`${who} requires 100rel (${knows} knows), early media first: it rings reliably without a description`, async () => {
    const { caller, callee } = await call([REQUIRED], sdp(40_000))
    callee.says(183, 'a', { body: sdp(40_002) })
    const progress = await caller.hears(183)
    assert.ok(progress.headers.has('rseq'))
    assert.equal(bodyOf(progress), '')
    await answered(caller, callee)
  })

  test(`${who} supports 100rel (${knows} knows): early media is heard unreliably, 200 follows at once`, async () => {
    const { caller, callee } = await call([SUPPORTED], sdp(40_000))
    callee.says(183, 'a', { body: sdp(40_002) })
    const progress = await caller.hears(183)
    assert.equal(progress.headers.has('rseq'), false)
    assert.match(bodyOf(progress), /^m=audio/m)
    await answered(caller, callee)
  })

  test(`${who} requires 100rel and offers nothing (${knows} knows): nothing rings, 200 has the offer`, async () => {
    const { caller, callee } = await call([REQUIRED])
    assert.doesNotMatch(callee.invite.headers.get('supported') ?? '', /100rel/)
    callee.says(180, 'a')
    await answered(caller, callee, sdp(40_000))
    assert.equal(caller.has(180), false, 'RFC 3262 5: the first reliable response would have to make the offer')
  })
}

test('a PRACK that comes late is answered', async () => {
  hand.house.route(() => plan([toTrunk('itsp-a', '112')], { emergency: true, dialled: '112' }))
  const caller = new HandCaller(phone, '112', hand.house.edge.port('inside'), {
    headers: [REQUIRED],
    body: sdp(40_000),
  })
  const callee = await HandCallee.take(hand.near, '112')
  callee.says(180, 'a')
  const ringing = await caller.hears(180)
  callee.says(200, 'a', { body: sdp(40_002) })
  const ok = await caller.hears(200)
  assert.equal((await caller.prack(ringing)).status, 200)
  caller.ack(ok)
  await callee.asked('ACK', 'a')
  await hand.end(caller, callee)
})

test('after all that nothing is left', () => hand.assertEmpty())
