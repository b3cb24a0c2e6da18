/** Transfers at odd times, between hands that say what they like when they like (RFC 3515, 5589, edge.md E7). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { plan, toTrunk } from './call-edge.ts'
import { bodyOf, HandCallee, type HandCaller, sdp } from './hand-call.ts'
import { type HandHouse, startHandHouse } from './hand-house.ts'

let hand: HandHouse
before(async () => {
  hand = await startHandHouse({ trunks: { 'itsp-a': { transfer: 'act' }, 'itsp-b': { transfer: 'act' } } })
})
after(() => hand.close())

/** The status in the next NOTIFY, answered. */
async function told(side: { next(): Promise<SipRequest>; ok(notify: SipRequest): void }): Promise<number> {
  const notify = await side.next()
  side.ok(notify)
  return Number(/^SIP\/2\.0 (\d{3})/.exec(bodyOf(notify))?.[1])
}
const byCallee = (callee: HandCallee) => ({
  next: () => callee.asked('NOTIFY', 'a'),
  ok: (notify: SipRequest) => callee.reply(notify, 200),
})

/** Whoever was called sends his caller to a number that the far trunk has too, and the target answers. */
async function sentOn() {
  const first = await hand.talk()
  const number = String(Number(first.number) + 500_000)
  hand.house.route(() => plan([toTrunk('itsp-b', number)]))
  const referred = first.callee.ask('a', 'REFER', { headers: [['Refer-To', `<sip:${number}@127.0.0.1>`]] })
  assert.equal((await referred).status, 202)
  assert.equal(await told(byCallee(first.callee)), 100)
  const target = await HandCallee.take(hand.far, number)
  target.says(200, 't', { body: sdp(40_004) })
  await target.asked('ACK', 't')
  return { ...first, target }
}

/** The caller takes the re-INVITE of the edge, which says `port` or less; undefined: any. */
async function reoffered(caller: HandCaller): Promise<SipRequest> {
  return await caller.asked('INVITE')
}

test('the target hangs up before it is in the call: the transferor hears it and has his caller again', async () => {
  const { caller, callee, target } = await sentOn()
  const away = await reoffered(caller)
  const bye = await target.ask('t', 'BYE')
  assert.equal(bye.status, 200, 'it is heard, not put off')
  assert.equal(await told(byCallee(callee)), 480)
  caller.reply(away, 200, { body: sdp(40_000) })
  // whoever was moved meanwhile is moved back
  const back = await reoffered(caller)
  caller.reply(back, 200, { body: sdp(40_000) })
  const asked = caller.ask('INFO', { body: 'Signal=1\r\n', type: 'application/dtmf-relay' })
  callee.reply(await callee.asked('INFO', 'a'), 200)
  assert.equal((await asked).status, 200, 'they talk as before')
  await hand.end(caller, callee)
  await hand.assertEmpty()
})

test('RFC 3515 2.4.5: whoever will not be put on says why, and the transferor hears just that', async () => {
  const { caller, callee, target } = await sentOn()
  caller.reply(await reoffered(caller), 415)
  assert.equal(await told(byCallee(callee)), 415)
  target.reply(await target.asked('BYE', 't'), 200)
  await hand.end(caller, callee)
  await hand.assertEmpty()
})

test('a transferor who is gone when it fails has no call left: everything ends', async () => {
  const { caller, callee, target } = await sentOn()
  const away = await reoffered(caller)
  assert.equal((await callee.ask('a', 'BYE')).status, 200)
  await target.ask('t', 'BYE')
  caller.reply(await caller.asked('BYE'), 200)
  caller.reply(away, 487)
  const records = await hand.house.ended(3)
  assert.equal(new Set(records.map((r) => r.legId)).size, 3)
  await hand.assertEmpty()
})

test('RFC 3261 15: a consultation whose ACK is late is hung up when the ACK has come', async () => {
  const first = await hand.talk()
  const second = await hand.begin()
  second.callee.says(200, 'b', { body: sdp(40_006) })
  await second.callee.asked('ACK', 'b')
  const ok = await second.caller.hears(200)
  const { dialog } = second.caller
  const replaces = `${second.caller.invite.headers.get('call-id')};to-tag=${dialog?.remoteTag};from-tag=${dialog?.localTag}`
  const to = `<sip:${second.number}@127.0.0.1?Replaces=${encodeURIComponent(replaces)}>`
  assert.equal((await first.caller.ask('REFER', { headers: [['Refer-To', to]] })).status, 202)
  for (const [callee, tag, port] of [
    [first.callee, 'a', 40_002],
    [second.callee, 'b', 40_006],
  ] as const) {
    callee.reply(await callee.asked('INVITE', tag), 200, { body: sdp(port) })
    await callee.asked('ACK', tag)
  }
  const next = { next: () => first.caller.asked('NOTIFY'), ok: (n: SipRequest) => first.caller.reply(n, 200) }
  assert.deepEqual([await told(next), await told(next)], [100, 200])
  first.caller.reply(await first.caller.asked('BYE'), 200)
  second.caller.ackAgain(ok)
  second.caller.reply(await second.caller.asked('BYE'), 200)
  first.callee.ask('a', 'BYE').catch(() => {})
  second.callee.reply(await second.callee.asked('BYE', 'b'), 200)
  await hand.assertEmpty()
})

test('RFC 3261 9.1: a re-INVITE that is answered with 100 only is given up, and the call goes on as it was', async () => {
  const quick = await startHandHouse({ times: { t1: 30 } })
  try {
    const { caller, callee } = await quick.talk()
    const asked = caller.ask('INVITE', { body: sdp(40_000, '0', ['a=sendonly']) })
    const reinvite = await callee.asked('INVITE', 'a')
    callee.reply(reinvite, 100)
    callee.reply(await callee.asked('CANCEL', 'a'), 200)
    callee.reply(reinvite, 487)
    assert.equal((await asked).status, 487)
    caller.ackAgain(await asked)
    const again = caller.ask('INVITE', { body: sdp(40_000, '0', ['a=sendonly'], 8) })
    callee.reply(await callee.asked('INVITE', 'a'), 200, { body: sdp(40_002, '0', ['a=recvonly']) })
    const ok = await again
    assert.equal(ok.status, 200)
    caller.ackAgain(ok)
    await quick.end(caller, callee)
  } finally {
    await quick.close()
  }
})
