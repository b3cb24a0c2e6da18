/** How long a transfer may take (edge.md E7): the 180 s of its subscription, with a clock that is pushed; never a call for help. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { plan, toTrunk } from './call-edge.ts'
import { bodyOf, calleeSide, callerSide, HandCallee, HandCaller, type HandSide, sdp } from './hand-call.ts'
import { type HandHouse, startHandHouse } from './hand-house.ts'
import { pushedTime } from './pushed-time.ts'

const BOUND_MS = 180_000
const time = pushedTime()
let hand: HandHouse
before(async () => {
  // T1: a re-INVITE is waited for longer than any transfer
  const trunks = { 'itsp-a': { transfer: 'act' }, 'itsp-b': { transfer: 'act' } }
  hand = await startHandHouse({ trunks, time, times: { t1: 2 * BOUND_MS } })
})
after(() => hand.close())

/** What the next NOTIFY says: the status, and whether it is the last one. */
async function told(side: HandSide): Promise<[number, string | undefined]> {
  const notify = await side.asked('NOTIFY')
  side.reply(notify, 200)
  const state = notify.headers.get('subscription-state')?.split(';')[0]
  return [Number(/^SIP\/2\.0 (\d{3}) /.exec(bodyOf(notify))?.[1]), state]
}

const refer = async (by: HandSide, to: string) =>
  assert.equal((await by.ask('REFER', { headers: [['Refer-To', `<${to}>`]] })).status, 202)

async function talk(one: HandSide, two: HandSide): Promise<void> {
  const asked = one.ask('INFO', { body: 'Signal=1\r\n', type: 'application/dtmf-relay' })
  two.reply(await two.asked('INFO'), 200)
  assert.equal((await asked).status, 200)
}

/** Later by `ms`, once the edge has read all that the two have sent it: nothing is sent again. */
async function later(ms: number, one: HandSide, two: HandSide): Promise<void> {
  await talk(one, two)
  await talk(two, one)
  time.push(ms)
}

test('blind: a target that rings for 180 s is given up with CANCEL, the transferor hears 408, and has his caller again', async () => {
  const { caller, callee, number } = await hand.talk()
  const [left, right] = [callerSide(caller), calleeSide(callee)]
  const other = String(Number(number) + 500_000)
  hand.house.route(() => plan([toTrunk('itsp-b', other)]))
  await refer(right, `sip:${other}@127.0.0.1`)
  assert.deepEqual(await told(right), [100, 'active'])
  const target = await HandCallee.take(hand.far, other)
  target.says(180, 't')
  assert.deepEqual(await told(right), [180, 'active'])
  await later(BOUND_MS - 10_000, left, right)
  await talk(left, right)
  assert.deepEqual([right.has('NOTIFY'), target.has('CANCEL')], [false, false], 'ten seconds before')
  await later(10_000, left, right)
  assert.deepEqual(await told(right), [408, 'terminated'])
  const cancel = await hand.far.next((m) => m.kind === 'request' && m.method === 'CANCEL', 10_000)
  target.reply(cancel as never, 200)
  target.says(487, 't')
  await target.asked('ACK', 't')
  await talk(left, right)
  await talk(right, left)
  assert.equal(left.has('INVITE'), false, 'whoever was to be transferred has noticed nothing')
  await hand.end(caller, callee)
  await hand.assertEmpty()
})

test('attended: who does not answer the re-INVITE for 180 s stays where he is; a yes that comes later is taken back; both calls go on', async () => {
  const first = await hand.talk()
  const second = await hand.talk()
  const [mine, asked] = [callerSide(first.caller), callerSide(second.caller)]
  const [one, two] = [calleeSide(first.callee), calleeSide(second.callee)]
  const { dialog, invite } = second.caller
  const replaces = `${invite.headers.get('call-id')};to-tag=${dialog?.remoteTag};from-tag=${dialog?.localTag}`
  await refer(mine, `sip:${second.number}@127.0.0.1?Replaces=${encodeURIComponent(replaces)}`)
  assert.deepEqual(await told(mine), [100, 'active'])
  const away = await one.asked('INVITE')
  one.reply(away, 100)
  time.push(BOUND_MS)
  assert.deepEqual(await told(mine), [408, 'terminated'])
  assert.equal(two.has('INVITE'), false)
  one.reply(away, 200, { body: sdp(40_002) })
  await one.asked('ACK')
  one.reply(await one.asked('INVITE'), 200, { body: sdp(40_002) })
  await one.asked('ACK')
  await talk(mine, one)
  await talk(two, asked)
  await hand.end(first.caller, first.callee)
  await hand.end(second.caller, second.callee)
  await hand.assertEmpty()
})

test('a call for help: the PSAP that sends its caller on is not cut off after 180 s', async () => {
  hand.house.route(() => plan([toTrunk('itsp-b', '911')], { emergency: true, dialled: '911' }))
  const caller = new HandCaller(hand.near, '911', hand.edgePort, { body: sdp(40_000) })
  const psap = await HandCallee.take(hand.far, '911')
  psap.says(200, 'a', { body: sdp(40_002) })
  await psap.asked('ACK', 'a')
  caller.ack(await caller.hears(200))
  const right = calleeSide(psap)
  await refer(right, 'sip:12065550911@127.0.0.1')
  assert.deepEqual(await told(right), [100, 'active'])
  const target = await HandCallee.take(hand.far, '12065550911')
  target.says(180, 't')
  assert.deepEqual(await told(right), [180, 'active'])
  await later(2 * BOUND_MS, callerSide(caller), right)
  await talk(callerSide(caller), right)
  assert.deepEqual([right.has('NOTIFY'), target.has('CANCEL')], [false, false])
  target.says(200, 't', { body: sdp(40_004) })
  await target.asked('ACK', 't')
  const reinvite = await caller.asked('INVITE')
  caller.reply(reinvite, 200, { body: sdp(40_000) })
  await caller.asked('ACK')
  assert.deepEqual(await told(right), [200, 'terminated'])
  right.reply(await right.asked('BYE'), 200)
  await hand.end(caller, target, 't')
  await hand.assertEmpty()
})

test('passed on: a carrier that takes the REFER and never tells what became of it is given 180 s; the transferor hears 408', async () => {
  const { document } = hand.house
  const trunks = { ...document.trunks, 'itsp-b': { ...document.trunks['itsp-b'], transfer: 'forward' } }
  await hand.house.edge.apply({ ...document, trunks } as never)
  const { caller, callee, number } = await hand.talk()
  const [left, right] = [callerSide(caller), calleeSide(callee)]
  hand.house.route(() => plan([toTrunk('itsp-a', number)]))
  const asked = right.ask('REFER', { headers: [['Refer-To', `<sip:${number}@127.0.0.1>`]] })
  left.reply(await left.asked('REFER'), 202)
  assert.equal((await asked).status, 202)
  await later(BOUND_MS - 10_000, left, right)
  await talk(left, right)
  assert.equal(right.has('NOTIFY'), false)
  await later(10_000, left, right)
  assert.deepEqual(await told(right), [408, 'terminated'])
  await talk(right, left)
  await hand.end(caller, callee)
  await hand.assertEmpty()
})
