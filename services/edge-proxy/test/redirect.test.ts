/** 3xx of a callee (RFC 3261 8.1.3.4) by policy: followed, passed on, refused (docs/adr/0021). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RouteDecision, RouteQuestion } from '@tandem/contracts/routing.ts'
import { plan, reject, toTrunk, toUser } from './call-edge.ts'
import { HandCallee, HandCaller, ofMethod, sdp } from './hand-call.ts'
import { type HandHouse, startHandHouse } from './hand-house.ts'

let hand: HandHouse
before(async () => {
  hand = await startHandHouse()
})
after(() => hand.close())

type Answers = Record<string, RouteDecision>
type Mode = 'follow' | 'pass' | 'reject' | undefined

async function withRedirect(mode: Mode): Promise<void> {
  const { document, edge } = hand.house
  const trunk = { ...document.trunks['itsp-b'], ...(mode === undefined ? {} : { redirect: mode }) }
  await edge.apply({ ...document, trunks: { ...document.trunks, 'itsp-b': trunk } } as never)
}

/** The router's answers by number; whatever was asked after `begin`. */
function route(answers: Answers): () => readonly RouteQuestion[] {
  const before = hand.house.questions.length
  hand.house.route(({ dialled }) => answers[dialled] ?? reject(404, 'nobody'))
  return () => hand.house.questions.slice(before)
}

const way = (number: string) => plan([toTrunk('itsp-b', number)], { normalised: `+${number}` })
const moved = (...contacts: string[]): { headers: [string, string][] } => ({
  headers: contacts.map((c) => ['Contact', c]),
})

async function dial(number: string): Promise<{ caller: HandCaller; callee: HandCallee }> {
  const caller = new HandCaller(hand.near, number, hand.edgePort, { body: sdp(40_000) })
  return { caller, callee: await HandCallee.take(hand.far, number) }
}

test('follow: the number is asked of the router as the trunk writes it, and the call goes where the router says', async () => {
  await withRedirect('follow')
  const asked = route({ '12065550301': way('12065550301'), '12065550302': way('12065550302') })
  const { caller, callee } = await dial('12065550301')
  callee.says(302, 'a', moved('<sip:12065550302@203.0.113.9>'))
  const next = await HandCallee.take(hand.far, '12065550302')
  assert.doesNotMatch(next.invite.uri, /203\.0\.113\.9/, 'never dialled as it stands')
  assert.deepEqual(
    asked().map((q) => [q.dialled, q.redirectedBy, q.source]),
    [
      ['12065550301', undefined, { kind: 'trunk', trunk: 'itsp-a' }],
      ['12065550302', 'itsp-b', { kind: 'trunk', trunk: 'itsp-a' }],
    ],
  )
  assert.equal(asked()[1]?.callId, asked()[0]?.callId)
  next.says(200, 'b', { body: sdp(40_002) })
  await next.asked('ACK', 'b')
  caller.ack(await caller.hears(200))
  await hand.end(caller, next, 'b')
  assert.deepEqual((await hand.house.ended(3)).map((r) => r.sipStatus).sort(), [200, 200, 302])
})

test('RFC 3261 8.1.3.4: contacts in the order of q, one after the other until one answers; one that the router refuses is passed over', async () => {
  await withRedirect('follow')
  const asked = route({
    '12065550303': way('12065550303'),
    '12065550305': way('12065550305'),
    '12065550306': way('12065550306'),
    '12065550307': way('12065550307'),
  })
  const { caller, callee } = await dial('12065550303')
  callee.says(
    300,
    'a',
    moved(
      '<sip:12065550307@x.example>;q=0.1',
      '<sip:12065550305@x.example>;q=0.5',
      '<tel:12065550304>;q=0.9',
      '<sip:12065550306@x.example>;q=0.3',
    ),
  )
  const next = await HandCallee.take(hand.far, '12065550305')
  assert.deepEqual(
    asked().map((q) => q.dialled),
    ['12065550303', '12065550304', '12065550305'],
  )
  next.says(486, 'b')
  const after = await HandCallee.take(hand.far, '12065550306')
  after.says(503, 'c')
  const last = await HandCallee.take(hand.far, '12065550307')
  assert.equal(caller.has(486) || caller.has(503), false)
  last.says(200, 'd', { body: sdp(40_002) })
  await last.asked('ACK', 'd')
  caller.ack(await caller.hears(200))
  await hand.end(caller, last, 'd')
  assert.equal(asked().length, 5, 'the router is asked of a contact when its turn has come')
  assert.deepEqual((await hand.house.ended(5)).map((r) => r.sipStatus).sort(), [200, 200, 300, 486, 503])
})

test('follow: nobody answers at any contact: the best of what they said; a 6xx ends it at once (RFC 3261 16.7)', async () => {
  await withRedirect('follow')
  route({ '12065550320': way('12065550320'), '12065550321': way('12065550321'), '12065550322': way('12065550322') })
  const contacts = moved('<sip:12065550321@x.example>', '<sip:12065550322@x.example>;q=0.4')
  const first = await dial('12065550320')
  first.callee.says(302, 'a', contacts)
  const busy = await HandCallee.take(hand.far, '12065550321')
  busy.says(486, 'b')
  const gone = await HandCallee.take(hand.far, '12065550322')
  gone.says(404, 'c')
  first.caller.ack(await first.caller.hears(486))
  const second = await dial('12065550320')
  second.callee.says(302, 'a', contacts)
  const declines = await HandCallee.take(hand.far, '12065550321')
  declines.says(603, 'b')
  second.caller.ack(await second.caller.hears(603))
})

test('follow: a contact that sends the call on itself is done with all its contacts before the next one', async () => {
  await withRedirect('follow')
  const numbers = ['12065550330', '12065550331', '12065550332', '12065550333']
  route(Object.fromEntries(numbers.map((n) => [n, way(n)])))
  const { caller, callee } = await dial('12065550330')
  callee.says(302, 'a', moved('<sip:12065550331@x.example>', '<sip:12065550333@x.example>;q=0.4'))
  const inner = await HandCallee.take(hand.far, '12065550331')
  // the number that was dialled, the contact itself, and one that comes later: none is tried twice
  inner.says(302, 'b', moved('<sip:12065550330@x.example>', '<sip:12065550332@x.example>;q=0.9'))
  const deep = await HandCallee.take(hand.far, '12065550332')
  deep.says(480, 'c')
  const last = await HandCallee.take(hand.far, '12065550333')
  last.says(302, 'd', moved('<sip:12065550331@x.example>'))
  caller.ack(await caller.hears(480))
  assert.equal(
    hand.far.received.some((m) => m.kind === 'request' && m.method === 'INVITE'),
    false,
  )
})

test('follow: a caller who gives up while a contact rings ends it, and no other is called', async () => {
  await withRedirect('follow')
  route({ '12065550340': way('12065550340'), '12065550341': way('12065550341'), '12065550342': way('12065550342') })
  const { caller, callee } = await dial('12065550340')
  callee.says(302, 'a', moved('<sip:12065550341@x.example>', '<sip:12065550342@x.example>;q=0.4'))
  const next = await HandCallee.take(hand.far, '12065550341')
  next.says(180, 'b')
  await caller.hears(180)
  caller.cancel()
  next.reply((await hand.far.next(ofMethod('CANCEL'), 10_000)) as never, 200)
  next.says(487, 'b')
  caller.ack(await caller.hears(487))
  await hand.assertEmpty()
  assert.equal(
    hand.far.received.some((m) => m.kind === 'request' && m.uri.includes('12065550342')),
    false,
  )
})

test('follow: no place twice and not for ever: two numbers that name each other end the call', async () => {
  await withRedirect('follow')
  route({ '12065550307': way('12065550307'), '12065550308': way('12065550308') })
  const { caller, callee } = await dial('12065550307')
  callee.says(302, 'a', moved('<sip:12065550308@x.example>'))
  const next = await HandCallee.take(hand.far, '12065550308')
  next.says(302, 'b', moved('<sip:+12065550307@x.example>'))
  caller.ack(await caller.hears(480))
})

test('follow: a name at another host is nobody here, whatever our users are called; a proxy is no callee', async () => {
  await withRedirect('follow')
  const asked = route({ '12065550309': way('12065550309'), alice: plan([toUser('alice')]) })
  const { caller, callee } = await dial('12065550309')
  callee.says(302, 'a', moved('<sip:alice@elsewhere.example>'))
  caller.ack(await caller.hears(480))
  const again = await dial('12065550309')
  again.callee.says(305, 'a', moved('<sip:12065550302@proxy.example>'))
  again.caller.ack(await again.caller.hears(480))
  assert.deepEqual(
    asked().map((q) => q.dialled),
    ['12065550309', '12065550309'],
  )
})

test('follow: what the router refuses the caller is refused with its status', async () => {
  await withRedirect('follow')
  route({ '12065550310': way('12065550310'), '19005550000': reject(403, 'not allowed') })
  const { caller, callee } = await dial('12065550310')
  callee.says(302, 'a', moved('<sip:19005550000@x.example>'))
  caller.ack(await caller.hears(403))
})

test('follow: the caller gives up while the router is asked: nobody is called', async () => {
  await withRedirect('follow')
  route({ '12065550311': way('12065550311'), '12065550312': way('12065550312') })
  const { caller, callee } = await dial('12065550311')
  callee.says(180, 'a')
  await caller.hears(180)
  caller.cancel()
  callee.says(302, 'a', moved('<sip:12065550312@x.example>'))
  caller.ack(await caller.hears(487))
  await hand.assertEmpty()
  assert.equal(
    hand.far.received.some((m) => m.kind === 'request' && m.uri.includes('12065550312')),
    false,
  )
})

test('pass: the caller is told where, at an address of ours; no other trunk is tried', async () => {
  await withRedirect('pass')
  const number = '12065550313'
  route({ [number]: plan([toTrunk('itsp-b', number), toTrunk('itsp-a', number)]) })
  const { caller, callee } = await dial(number)
  callee.says(302, 'a', moved('<sip:12065550314@203.0.113.9>'))
  const told = await caller.hears(302)
  caller.ack(told)
  assert.equal(told.headers.get('contact'), `<sip:12065550314@127.0.0.1:${hand.edgePort}>`)
})

test('reject, the default: to us the trunk has failed, and the next one is tried', async () => {
  await withRedirect(undefined)
  const number = '12065550315'
  const asked = route({ [number]: plan([toTrunk('itsp-b', number), toTrunk('itsp-b', '12065550316')]) })
  const { caller, callee } = await dial(number)
  callee.says(302, 'a', moved('<sip:12065550314@203.0.113.9>'))
  const next = await HandCallee.take(hand.far, '12065550316')
  next.says(486, 'b')
  caller.ack(await caller.hears(486))
  assert.equal(asked().length, 1)
})

test('a phone that sends its calls on: by the rights of its user, who is asked for as forwarding', async () => {
  await withRedirect(undefined)
  const asked = route({
    bob: plan([toUser('bob')], { callee: { user: 'bob' } }),
    '12065550316': way('12065550316'),
    '12065550317': way('12065550317'),
  })
  const ringing = hand.house.bob.nextCall()
  const caller = new HandCaller(hand.near, 'bob', hand.edgePort, { body: sdp(40_000) })
  const call = await ringing
  const contacts = '<sip:12065550317@acme.example>;q=0.5, <sip:12065550316@acme.example>;q=0.8'
  call.reject(302, 'Moved Temporarily', [['Contact', contacts]])
  const first = await HandCallee.take(hand.far, '12065550316')
  first.says(404, 'a')
  const next = await HandCallee.take(hand.far, '12065550317')
  assert.deepEqual(
    asked().map((q) => [q.dialled, q.onBehalfOf]),
    [
      ['bob', undefined],
      ['12065550316', 'bob'],
      ['12065550317', 'bob'],
    ],
  )
  next.says(200, 'b', { body: sdp(40_002) })
  await next.asked('ACK', 'b')
  caller.ack(await caller.hears(200))
  await hand.end(caller, next, 'b')
  const records = await hand.house.ended(4)
  const sentOn = records.filter((r) => r.party.kind === 'trunk' && r.role !== 'caller')
  assert.deepEqual(
    sentOn.map((r) => r.role),
    ['forward', 'forward'],
  )
})

test('an emergency call is not sent on: the next rung is tried', async () => {
  await withRedirect('follow')
  const number = '12065550318'
  const rungs = [toTrunk('itsp-b', number), toTrunk('itsp-a', number)]
  const asked = route({ [number]: plan(rungs, { emergency: true, dialled: '911' }) })
  const caller = new HandCaller(hand.near, number, hand.edgePort, { body: sdp(40_000) })
  const first = await HandCallee.take(hand.far, '911')
  first.says(302, 'a', moved('<sip:12065550302@x.example>'))
  // the standing order has the other trunk next
  const second = await HandCallee.take(hand.near, '911')
  second.says(200, 'b', { body: sdp(40_002) })
  await second.asked('ACK', 'b')
  caller.ack(await caller.hears(200))
  await hand.end(caller, second, 'b')
  assert.ok(asked().every((q) => q.redirectedBy === undefined))
})

test('after all that nothing is left', () => hand.assertEmpty())
