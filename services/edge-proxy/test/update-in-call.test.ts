/** Offers by UPDATE (RFC 3311) after the answer, from either side of a call. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bodyOf, calleeSide, callerSide, type HandCallee, type HandCaller, type HandSide, sdp } from './hand-call.ts'
import { type HandHouse, startHandHouse } from './hand-house.ts'

const WITHOUT_UPDATE = 'INVITE, ACK, CANCEL, BYE'
const WITH_UPDATE = `${WITHOUT_UPDATE}, UPDATE`

let hand: HandHouse
before(async () => {
  hand = await startHandHouse()
})
after(() => hand.close())

interface Side extends HandSide {
  readonly port: number
}

/** Who talks: the one that the test begins with first. */
async function talk(first: 'caller' | 'callee', others = WITH_UPDATE, house = hand) {
  const allow: [string, string][] = [['Allow', first === 'caller' ? WITH_UPDATE : others]]
  const { caller, callee } = await house.talk({
    headers: allow,
    body: sdp(40_000),
    allow: first === 'callee' ? WITH_UPDATE : others,
  })
  const near: Side = { port: 40_000, ...callerSide(caller) }
  const far: Side = { port: 40_002, ...calleeSide(callee) }
  const [one, two] = first === 'caller' ? [near, far] : [far, near]
  return { caller, callee, one, two, end: () => house.end(caller, callee) }
}

/** Nothing has been asked of either hand that was not taken. */
function nothingMore(caller: HandCaller, callee: HandCallee): void {
  assert.equal(callee.has('UPDATE') || callee.has('INVITE'), false)
  assert.equal(
    caller.peer.received.some((m) => m.kind === 'request' && (m.method === 'UPDATE' || m.method === 'INVITE')),
    false,
  )
}

for (const first of ['caller', 'callee'] as const) {
  const second = first === 'caller' ? 'callee' : 'caller'

  test(`RFC 3311 5.1: the ${first} holds and resumes by UPDATE: the ${second} is asked, its answer comes back`, async () => {
    const { one, two, end } = await talk(first)
    for (const [offered, answered] of [
      ['sendonly', 'recvonly'],
      ['sendrecv', 'sendrecv'],
    ] as const) {
      const asked = one.ask('UPDATE', { body: sdp(one.port, '0', [`a=${offered}`]) })
      const update = await two.asked('UPDATE')
      assert.equal(/^a=sendonly\r$/m.test(bodyOf(update)), offered === 'sendonly')
      assert.doesNotMatch(bodyOf(update), new RegExp(String(one.port)))
      assert.ok(update.headers.has('contact'), 'a target refresh request')
      two.reply(update, 200, { body: sdp(two.port, '0', [`a=${answered}`]) })
      const ok = await asked
      assert.equal(ok.status, 200)
      assert.ok(ok.headers.has('contact'))
      assert.equal(/^a=recvonly\r$/m.test(bodyOf(ok)), answered === 'recvonly')
    }
    await end()
  })

  test(`a ${second} without UPDATE is asked by re-INVITE what the ${first} offers by UPDATE`, async () => {
    const { one, two, end } = await talk(first, WITHOUT_UPDATE)
    const asked = one.ask('UPDATE', { body: sdp(one.port, '0', ['a=sendonly']) })
    const reinvite = await two.asked('INVITE')
    assert.match(bodyOf(reinvite), /^a=sendonly\r$/m)
    two.reply(reinvite, 200, { body: sdp(two.port, '0', ['a=recvonly']) })
    await two.asked('ACK')
    assert.match(bodyOf(await asked), /^a=recvonly\r$/m)
    await end()
  })

  test(`RFC 3311 5.2: the ${second} rings instead of answering: the ${first} hears 504 at once, and a yes that comes too late is taken back`, async () => {
    const { one, two, end } = await talk(first, WITHOUT_UPDATE)
    for (const last of [487, 200]) {
      const asked = one.ask('UPDATE', { body: sdp(one.port, '0', ['a=sendonly']) })
      const reinvite = await two.asked('INVITE')
      two.reply(reinvite, 180)
      assert.equal((await asked).status, 504)
      two.reply(await two.asked('CANCEL'), 200)
      two.reply(reinvite, last, last === 200 ? { body: sdp(two.port, '0', ['a=recvonly']) } : {})
      await two.asked('ACK')
      if (last === 200) {
        const back = await two.asked('INVITE')
        assert.doesNotMatch(bodyOf(back), /sendonly/)
        two.reply(back, 200, { body: sdp(two.port) })
        await two.asked('ACK')
      }
      // what was agreed before is in force: saying it again is answered here
      const ok = await one.ask('UPDATE', { body: sdp(one.port) })
      assert.deepEqual([ok.status, /recvonly/.test(bodyOf(ok))], [200, false])
    }
    await end()
  })

  test(`RFC 3311 5.2 glare: the ${second}'s offer that crosses ours gets 491, and so may ours; the ${first} tries again`, async () => {
    const { one, two, end } = await talk(first)
    const asked = one.ask('UPDATE', { body: sdp(one.port, '0', ['a=sendonly']) })
    const update = await two.asked('UPDATE')
    assert.equal((await two.ask('UPDATE', { body: sdp(two.port, '0', ['a=inactive']) })).status, 491)
    two.reply(update, 491)
    assert.equal((await asked).status, 491)
    const again = one.ask('UPDATE', { body: sdp(one.port, '0', ['a=sendonly']) })
    two.reply(await two.asked('UPDATE'), 200, { body: sdp(two.port, '0', ['a=recvonly']) })
    assert.equal((await again).status, 200)
    await end()
  })

  test(`RFC 3311 5.2: the ${first}'s next UPDATE before the answer gets 500 with Retry-After, with an offer or without`, async () => {
    const { one, two, end } = await talk(first)
    const asked = one.ask('UPDATE', { body: sdp(one.port, '0', ['a=sendonly']) })
    const update = await two.asked('UPDATE')
    for (const body of [sdp(one.port, '0', ['a=inactive']), undefined]) {
      const refused = await one.ask('UPDATE', body === undefined ? {} : { body })
      assert.equal(refused.status, 500)
      const wait = Number(refused.headers.get('retry-after'))
      assert.ok(wait >= 0 && wait <= 10, `${wait}`)
    }
    // the other side has an exchange of its own under way: how long to wait is passed on
    two.reply(update, 500, { headers: [['Retry-After', '7']] })
    const ok = await asked
    assert.deepEqual([ok.status, ok.headers.get('retry-after')], [500, '7'])
    await end()
  })

  test(`RFC 3311 5.3: an offer of the ${first} that is refused leaves the session as it was`, async () => {
    const { caller, callee, one, two, end } = await talk(first)
    const asked = one.ask('UPDATE', { body: sdp(one.port, '8') })
    two.reply(await two.asked('UPDATE'), 488)
    assert.equal((await asked).status, 488)
    // what was agreed before is still in force on both sides: saying it again is answered here, with the same answer
    for (const side of [one, two]) {
      const ok = await side.ask('UPDATE', { body: sdp(side.port) })
      assert.equal(ok.status, 200)
      assert.match(bodyOf(ok), /^m=audio \d+ RTP\/AVP 0\r$/m)
    }
    nothingMore(caller, callee)
    await end()
  })
}

test('RFC 3311 5.2: a re-INVITE that is answered with 100 alone keeps whoever sent the UPDATE waiting for 16 T1, not for 64', async () => {
  const quick = await startHandHouse({ times: { t1: 50 } })
  try {
    const { one, two, end } = await talk('caller', WITHOUT_UPDATE, quick)
    const asked = one.ask('UPDATE', { body: sdp(one.port, '0', ['a=sendonly']) })
    const reinvite = await two.asked('INVITE')
    two.reply(reinvite, 100)
    assert.equal((await asked).status, 504)
    two.reply(await two.asked('CANCEL'), 200)
    two.reply(reinvite, 487)
    await two.asked('ACK')
    await end()
  } finally {
    await quick.close()
  }
})

test('RFC 3311 5.3: the other side does not know the call any more (481): both are hung up', async () => {
  const { one, two } = await talk('caller')
  const asked = one.ask('UPDATE', { body: sdp(one.port, '0', ['a=sendonly']) })
  two.reply(await two.asked('UPDATE'), 481)
  one.reply(await one.asked('BYE'), 200)
  assert.ok((await asked).status >= 400)
  await hand.assertEmpty()
})

test('RFC 3311 5.2: an UPDATE that meets an offer of ours in a 200 without ACK gets 491', async () => {
  const { caller, callee } = await hand.begin({ body: undefined, headers: [['Allow', WITH_UPDATE]] })
  callee.says(200, 'a', { body: sdp(40_002) })
  const ok = await caller.hears(200)
  assert.equal((await caller.ask('UPDATE', { body: sdp(40_000, '0', ['a=sendonly']) })).status, 491)
  caller.ack(ok, sdp(40_000))
  await callee.asked('ACK', 'a')
  await hand.end(caller, callee)
})

test('after all that nothing is left', () => hand.assertEmpty())
